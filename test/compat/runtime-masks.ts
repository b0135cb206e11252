// What may differ between Headgate and Debian's HAProxy 2.6 in the answers of the Runtime API, each with its reason. A mask that
// matches nothing is an error: either the difference is gone, or the test no longer looks at it. Applied in this order.

export interface Mask {
  readonly reason: string;
  readonly pattern: RegExp;
  readonly to: string;
  /** Where it applies; default both. */
  readonly on?: "haproxy" | "headgate";
}

const mask = (reason: string, pattern: RegExp, to: string, on?: "haproxy" | "headgate"): Mask => ({
  reason,
  pattern,
  to,
  ...(on === undefined ? {} : { on }),
});

/** Columns of `show stat` whose value is compared only by being there: "be/s1 rate=3", "S.3.1 rate=3". */
const columns = (...names: string[]): RegExp => new RegExp(`^(\\S+ (?:${names.join("|")}))=-?\\d+$`, "gm");
/** Lines of `show info`. */
const infoLines = (...names: string[]): RegExp => new RegExp(`^(${names.join("|")}): .*$`, "gm");

const TWO_PROCESSES: readonly Mask[] = [
  mask("addresses of the frontends", /127\.\d+\.\d+\.(?:11|12):\d+/g, "FRONT"),
  mask("a directory of its own", /unix@\S+stats\.sock/g, "unix@SOCKET"),
  mask("a directory of its own", /used at \S+haproxy\.cfg:(\d+)/g, "used at FILE:$1"),
  mask("a session's id is opaque", /^0x[0-9a-f]+:/gm, "0xID:"),
  mask("a session's id is opaque", / id=\d+ proto=/g, " id=N proto="),
  mask("ports of clients", /(src=|source=)(\d\S+):\d+/g, "$1$2:PORT"),
  mask("3.x shows the thread group before a descriptor", /fd=1\//g, "fd=", "headgate"),
  mask("descriptor numbers", /fd=\d+/g, "fd=N"),
  mask("two programs", infoLines("Name", "Version", "Release_date", "Build info"), "$1: N"),
  mask("two programs", /^\d+\.\d+\.\d+\S*$/gm, "VERSION"),
  mask("the process's own", infoLines("Pid", "Tasks", "Run_queue", "Idle_pct"), "$1: N"),
  mask("HAProxy lowers the file limit to what it needs", infoLines("Ulimit-n", "Maxsock"), "$1: N"),
  mask("HAProxy's pools; Headgate says what is resident", infoLines("Pool(?:Alloc|Used)_(?:MB|bytes)"), "$1: N"),
  mask("bytes of answers count in HAProxy", infoLines("TotalBytesOut", "BytesOutRate"), "$1: N"),
  mask("the test's own polls", infoLines("CumConns", "CumReq"), "$1: N"),
];

const TIME: readonly Mask[] = [
  mask("depends on the moment", /\b(age|exp|c_exp|rex|wex)=(?:\d+[smhd])+/g, "$1=T"),
  mask("depends on the moment", / (calls|rate|rc|conn_retries)=\d+/g, " $1=N"),
  mask("depends on the moment", /conn_exp=\S+/g, "conn_exp=T"),
  mask("depends on the moment", /\[\d\d\/\w+\/\d{4}:[\d:.]+\]/g, "[DATE]"),
  mask("depends on the moment", columns("lastchg", "downtime", "lastsess"), "$1=N"),
  mask(
    "depends on the moment",
    columns("[qct]time", "[qct]time_max", "rate", "rate_max", "conn_rate", "conn_rate_max"),
    "$1=N",
  ),
  mask("depends on the moment", infoLines("Uptime", "Uptime_sec", "Start_time_sec"), "$1: N"),
  mask("depends on the moment", infoLines("ConnRate", "MaxConnRate", "SessRate", "MaxSessRate"), "$1: N"),
  mask("depends on the moment", /^(\d+ \S+ \d+ \S+ \S+ \d+ \d+ \d+ \d+) \d+ /gm, "$1 N "),
  mask("attempts of a session in turn-around", /^((?:li\/\S+|S\.4\.1|B\.4\.0) (?:wretr|connect))=\d+$/gm, "$1=N"),
];

const NEWER_TABLES: readonly Mask[] = [
  mask("3.x fixed the spelling", /TotalSplicdedBytesOut/g, "TotalSplicedBytesOut", "haproxy"),
  mask(
    "added since 2.6",
    /^(?:@ info \d+ )?(?:TotalWarnings|MaxconnReached|BootTime_ms|Niced_tasks|(?:Curr|Cum)Streams|BlockedTrafficWarnings|Patterns(?:Added|Freed)|NbThreadGroups)[: ].*\n/gm,
    "",
    "headgate",
  ),
  mask(
    "added since 2.6",
    /^(?:@ )?\S+ (?:\d+ )?(?:srid|sess_other|h[123]sess|req_other|h[123]req|priv_idle_cur|reqbin|reqbout|resbin|resbout)[= ].*\n/gm,
    "",
    "headgate",
  ),
  mask("added since 2.6", / served | idle_sess /g, " ", "headgate"),
  mask("3.x adds whether a value outlives a reload", /^(@ .* \w{3})[VP] (?=\w+$)/gm, "$1 ", "headgate"),
  mask("3.x calls it a rate", /^(@ B\S+ 33 rate M)[GR]P /gm, "$1XP "),
  mask("3.x calls it a rate", /^(@ Backend\S+ 33 rate Metric\/)(?:Gauge|Rate)/gm, "$1X"),
  mask("3.x knows no health where there is no check", /^(\d+ \S+ \d+ \S+ \S+ \d+ \d+ \d+ \d+ N 1 0) [02] /gm, "$1 N "),
  mask("3.x shows the weight of a new server at once", /^(be\/n1 weight)=\d+$/gm, "$1=N"),
  mask("`clear counters all` clears it since 3.x", /^(be\/BACKEND chkdown)=[04]$/gm, "$1=N"),
  mask("2.6 has a limit of idle connections for new servers", /^\S+ src_ilim=0\n/gm, "", "haproxy"),
];

const NEWER_TEXTS: readonly Mask[] = [
  mask("3.x ends every message with an empty line", /^((?!pxname ).+)\n$/g, "$1\n\n", "haproxy"),
  mask("3.x names the unknown command", /^(Unknown command): '\S*'/gm, "$1", "headgate"),
  mask(
    "3.x takes an empty command as one",
    /^Unknown command\. Please enter one of the following commands only:\n/gm,
    "",
    "haproxy",
  ),
  mask(
    "3.x words what did not change shorter",
    /^no need to change the addr, no need to change the port by .*$/gm,
    "nothing changed",
    "haproxy",
  ),
  mask("3.x words what did not change shorter", /^no need to change the addr by .*$/gm, "nothing changed", "haproxy"),
  mask("3.x words what did not change shorter", /^no need to change the addr, /gm, "", "haproxy"),
  mask("3.x words what did not change shorter", /, no need to change the port/g, "", "haproxy"),
  mask(
    "3.x names who changed it only where something changed",
    /^((?:Invalid addr|problem converting|Update for).*) by 'stats socket command'$/gm,
    "$1",
    "haproxy",
  ),
  mask("3.x ends it with a full stop", /^(Update for the current server address family .*)\.$/gm, "$1", "headgate"),
  mask("3.x replaced rx and wx by rex and wex of the sides", /,rx=\w*,wx=/g, "", "haproxy"),
  mask("3.x replaced rx and wx by rex and wex of the sides", /,rex=\w*,wex=\w*\]/g, "]", "headgate"),
  mask("HAProxy counts the calls of `show sess`", / epoch=0x[0-9a-f]+/g, " epoch=0", "haproxy"),
];

const NOT_OURS: readonly Mask[] = [
  mask("each lists its own commands", /^ {2}[a-z].{37,}: .*\n/gm, ""),
  mask(
    "each proposes what is near in its own list",
    /^Unknown command(?:, but maybe one of the following ones is a better match|\. Please enter one of the following commands only):$/gm,
    "Unknown command",
  ),
  mask("each proposes what is near in its own list", /^(unknown keyword 'nope').*$/gm, "$1"),
  mask("each lists what it can set", /^(usage: set server <backend>\/<server>).*$/gm, "$1 ..."),
  mask("no TLS", /^(?:@ info \d+ )?\w*Ssl\w*[: ].*\n/gm, "", "haproxy"),
  mask("no TLS and no HTTP", /^(?:@ )?\S+ (?:\d+ )?(?:ssl_|h1_|h2_)\w+[= ].*\n/gm, "", "haproxy"),
  mask("the inside of HAProxy", /^ {2,}(?:task|scf|scb|co0|co1|app1|flags|req|res|an_exp|buf|fd)\b.*\n/gm, ""),
  mask("flags of HAProxy's channels", /\b(r[qp])\[f=[0-9a-f]+h/g, "$1[f=F"),
  mask("the inside of HAProxy", /( fe=GLOBAL .* scf=\[8,)[0-9a-f]+h(.* exp=)T?/g, "$10h$2"),
  mask("the port a connection to a server comes from", /^( {2}backend=.* addr=\S+:)\S+$/gm, "$1PORT"),
  mask("idle connections are HTTP's", columns("need_conn_est"), "$1=N"),
  mask(
    "idle connections are HTTP's",
    /^(\S+\/\S+ \d+\/\d+ \S+ \d+ - 5000) (\d+ \d+) \d+ \d+ 0 /gm,
    "$1 $2 N N ",
    "headgate",
  ),
  mask("2.6 has no `served`", /^(\S+\/\S+ \d+\/\d+ \S+ \d+ - 5000) \d+ (\d+ N)/gm, "$1 $2", "headgate"),
  mask("idle connections are HTTP's", /^(\S+\/\S+ \d+\/\d+ \S+ \d+ - 5000 \d+) \d+ \d+ /gm, "$1 N N ", "haproxy"),
];

/** Documented in docs/reference/differences.md. */
const OURS: readonly Mask[] = [
  mask(
    "filters of sessions that are to end are Headgate's own",
    /^Which sessions\? .*$/gm,
    "Unknown command",
    "headgate",
  ),
  mask("why sessions were cut", /^(?:@ )?\S+ (?:\d+ )?cut_\w+[= ].*\n/gm, "", "headgate"),
  mask("the thread that a session belongs to", / thread=\d+$/gm, "", "headgate"),
  mask("bytes are counted as they move, not at the end of the session", columns("b(?:in|out)"), "$1=N"),
];

export const MASKS: readonly Mask[] = [
  ...TWO_PROCESSES,
  ...TIME,
  ...NEWER_TABLES,
  ...NEWER_TEXTS,
  ...NOT_OURS,
  ...OURS,
];
