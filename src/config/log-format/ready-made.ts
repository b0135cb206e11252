// Log formats that have a name of their own. Control thread.

/** `option tcplog`. */
export const TCPLOG_FORMAT = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";

/** `option tcplog clf`. */
export const TCPLOG_CLF_FORMAT =
  '%{+Q}o %{-Q}ci - - [%T] "TCP " 000 %B "" "" %cp %ms %ft %b %s %Th %Tw %Tc %Tt %U %ts-- %ac %fc %bc %sc %rc %sq %bq "" "" ';

/** `option jsonlog`: ours. HAProxy's names for the values where its manual gives one, ms and units in the others. */
export const JSONLOG_FORMAT = [
  "%{+json}o",
  "%(accept_date)isodate",
  "%(host)H",
  "%(pid)pid",
  "%(client_ip)ci",
  "%(client_port)cp",
  "%(frontend_ip)fi",
  "%(frontend_port)fp",
  "%(frontend_name)f",
  "%(backend_name)b",
  "%(server_name)[srv_name]",
  "%(backend_source_ip)bi",
  "%(backend_source_port)bp",
  "%(server_ip)si",
  "%(server_port)sp",
  "%(queue_ms)Tw",
  "%(connect_ms)Tc",
  "%(total_ms)Tt",
  "%(bytes_uploaded)U",
  "%(bytes_read)B",
  "%(termination_state)ts",
  "%(cause)cause",
  "%(retries)rc",
  "%(redispatched)[txn.redispatched]",
  "%(actconn)ac",
  "%(feconn)fc",
  "%(beconn)bc",
  "%(srv_conn)sc",
  "%(srv_queue)sq",
  "%(backend_queue)bq",
].join(" ");

/** Variables of the environment that HAProxy sets for its configuration. */
export const LOG_FORMAT_ENVIRONMENT = {
  HAPROXY_TCP_LOG_FMT: TCPLOG_FORMAT,
  HAPROXY_TCP_CLF_LOG_FMT: TCPLOG_CLF_FORMAT,
} as const;
