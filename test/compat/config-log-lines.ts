// Lines about what log lines look like, for `config-verdict.test.ts`.

/** As in that test: in the frontend (F) or in the backend (B). */
export const LOG_LINES: readonly string[] = [
  'F log-format "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"',
  'F log-format "%%%ci %{+Q}o %{-Q}s %{+X,+E}cp_%[src]"',
  "F log-format %ci\\ %cp",
  "F log-format %ci %cp",
  "F log-format",
  'F log-format "%foo"',
  'F log-format "%ci%1"',
  'F log-format "50%"',
  'F log-format "% ci"',
  'F log-format "%{+Q}"',
  'F log-format "%{+Q ci"',
  'F log-format "%[src"',
  'F log-format "%[foo]"',
  'F log-format "%[src_port] %[dst] %[fe_name] %[be_id] %[srv_name] %[str(a)]"',
  ...["CC", "HM", "Tq", "r", "tr"].map((name) => `F log-format "%${name}"`),
  'F log-format "%ID %ST %Tu %hr %hrl %hs %hsl %lc %rt %sslc %sslv %tsc"',
  'F log-format "%{Q}ci"',
  "F log-format-sd '[a@1 b=\"%s\"]'",
  "F log-format-sd",
  "F option tcplog\n  log-format %ci",
  "B log-format %ci",
  "F option dontlog-normal",
  "F no option log-separate-errors",
  "B option dontlog-normal",
  "F log-tag edge",
  "F log-tag",
  "B log-tag edge",
  "F no log-format",
];

/** What Headgate decides otherwise than HAProxy 2.6, and why. */
export const LOG_LINES_DIFFERENT: readonly (readonly [line: string, ours: "accept" | "refuse", reason: string])[] = [
  ["F option tcplog clf", "accept", "newer than HAProxy 2.6"],
  ["F option jsonlog", "accept", "ours"],
  ["F log-format %cause", "accept", "ours"],
  ["F log-format %isodate", "accept", "ours"],
  ["F log-format %-ci", "refuse", "HAProxy leaves the percent sign out"],
  ["F log-format %{+q}ci", "refuse", "HAProxy ignores a flag that it does not know"],
  ["F log-format %[src,lower]", "refuse", "converters are not supported"],
  ["F log-format %[bc.timer.connect]", "accept", "newer than HAProxy 2.6"],
];

/** Golden configurations that HAProxy 2.6 does not take. */
export const LOG_FILES_ELSEWHERE: readonly (readonly [file: string, reason: string])[] = [
  ["proxy-log-format.cfg", "uses a variable that is ours"],
  ["proxy-option-jsonlog.cfg", "ours"],
  ["log-format-clf.cfg", "newer than HAProxy 2.6"],
];
