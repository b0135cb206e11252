// The columns of `show stat`: names and positions as in HAProxy, and for each kind of row the tags and type of its value. A row's
// letter that a column does not have means that the value is empty there.

import { CUT_REASON_NAMES, CutReason } from "../memory/cut-reason.ts";
import type { Field, ValueType } from "./typed-values.ts";

/** F frontend, B backend, S server. */
export type RowKind = "F" | "B" | "S";

export interface StatField {
  readonly name: string;
  readonly description: string;
  readonly kinds: Readonly<Partial<Record<RowKind, Field>>>;
}

/** HAProxy's own. One column a line: name, then `<rows>:<tags>:<type>` for the rows that have it, then what it says. */
const COLUMNS = `
pxname FBS:KNSV:str proxy
svname FBS:KNSV:str FRONTEND, BACKEND, or the server's or listener's name
qcur BS:MGPV:u32 sessions in the queue
qmax BS:MMPV:u32 highest qcur
scur FBS:MGPV:u32 sessions now
smax FBS:MMPV:u32 highest scur
slim FBS:CLPV:u32 limit of sessions: maxconn, or a backend's fullconn
stot FBS:MCPP:u64 sessions so far
bin FBS:MCPP:u64 bytes received from clients
bout FBS:MCPP:u64 bytes sent to clients
dreq FB:MCPP:u64 requests denied
dresp FBS:MCPP:u64 responses denied
ereq F:MCPP:u64 bad requests
econ BS:MCPP:u64 failed connections to servers
eresp BS:MCPP:u64 sessions that the server broke
wretr BS:MCPP:u64 connection retries
wredis BS:MCPP:u64 sessions moved to another server after a failure
status FBS:SGPV:str state
weight BS:MaPV:u32 weight in effect, of a backend the sum of its usable servers
act B:MGPV:u32 S:SGPV:u32 active servers, or 1 for a server that is not a backup
bck B:MGPV:u32 S:SGPV:u32 backup servers, or 1 for a backup server
chkfail S:MCPP:u64 failed health checks that counted
chkdown BS:MCPP:u64 transitions to down
lastchg BS:MAPP:u32 seconds since the last change of state
downtime BS:MCPV:u32 seconds spent down
qlimit - limit of the server's queue
pid FBS:KGPV:u32 process number: always 1
iid FBS:KGSV:u32 proxy's id
sid FBS:KGSV:u32 server's or listener's id
throttle S:MaPV:u32 slow start, in percent
lbtot BS:MCPP:u64 sessions assigned by load balancing
tracked S:CNSV:str server whose state this one follows
type FBS:CGSV:u32 0 frontend, 1 backend, 2 server, 3 listener
rate FBS:MRPP:u32 sessions in the last second
rate_lim F:CLPV:u32 limit of rate: none
rate_max FS:MMPV:u32 B:MGPV:u32 highest rate
check_status S:MOPV:str status of the last health check, "* " before it while one is on its way
check_code S:MOPV:u32 code of the last health check
check_duration S:MDPV:u64 ms of the last health check
hrsp_1xx - HTTP only
hrsp_2xx - HTTP only
hrsp_3xx - HTTP only
hrsp_4xx - HTTP only
hrsp_5xx - HTTP only
hrsp_other - HTTP only
hanafail S:MCPP:u64 alarms of observe
req_rate F:MRPP:u32 HTTP only
req_rate_max F:MMPV:u32 HTTP only
req_tot F:MCPP:u64 HTTP only
cli_abrt BS:MCPP:u64 sessions that the client broke
srv_abrt BS:MCPP:u64 sessions that the server broke while data moved
comp_in FB:MCPP:u64 HTTP only
comp_out FB:MCPP:u64 HTTP only
comp_byp FB:MCPP:u64 HTTP only
comp_rsp FB:MCPP:u64 HTTP only
lastsess BS:MAPP:s32 seconds since the last session was assigned, -1: never
last_chk S:MOPV:str text of the last health check
last_agt S:MOPV:str text of the last agent check
qtime BS:MaPV:u32 average ms in the queue
ctime BS:MaPV:u32 average ms to connect
rtime BS:MaPV:u32 average ms to a response: not measured in TCP
ttime BS:MaPV:u32 average ms of a session
agent_status S:MOPV:str status of the last agent check
agent_code S:MOPV:u32 code of the last agent check
agent_duration S:MDPV:u64 ms of the last agent check
check_desc S:MOPV:str what check_status means
agent_desc S:MOPV:str what agent_status means
check_rise S:CGSV:u32 successes in a row that make the server up
check_fall S:CGSV:u32 failures in a row that make the server down
check_health S:CGSV:u32 0 .. rise + fall - 1, up from rise on
agent_rise S:CGSV:u32 as check_rise, of the agent
agent_fall S:CGSV:u32 as check_fall, of the agent
agent_health S:CGSV:u32 as check_health, of the agent
addr S:CGSV:str server's address
cookie - HTTP only
mode FBS:CGSV:str mode
algo B:CGSV:str balancing algorithm
conn_rate F:MRPP:u32 connections in the last second
conn_rate_max F:MMPV:u32 highest conn_rate
conn_tot F:MCPP:u64 connections so far
intercepted - HTTP only
dcon F:MCPP:u64 connections denied
dses F:MCPP:u64 sessions denied
wrew FBS:MCPP:u64 HTTP only
connect BS:MCPP:u64 connection attempts to servers
reuse BS:MCPP:u64 idle connection pools: HTTP only
cache_lookups - HTTP only
cache_hits - HTTP only
srv_icur S:MGPV:u32 idle connection pools: HTTP only
src_ilim - idle connection pools: HTTP only
qtime_max BS:MMPV:u32 longest ms in the queue
ctime_max BS:MMPV:u32 longest ms to connect
rtime_max BS:MMPV:u32 longest ms to a response: not measured in TCP
ttime_max BS:MMPV:u32 longest ms of a session
eint FBS:MCPP:u64 internal errors
idle_conn_cur S:MGPV:u32 idle connection pools: HTTP only
safe_conn_cur S:MGPV:u32 idle connection pools: HTTP only
used_conn_cur S:MGPV:u32 idle connection pools: HTTP only
need_conn_est S:MGPV:u32 idle connection pools: HTTP only
uweight BS:MaPV:u32 configured weight in use, of a backend the sum of its usable servers
agg_server_status B:MGPV:u32 always 0 here
agg_server_check_status B:MGPV:u32 always 0 here
agg_check_status B:MGPV:u32 always 0 here
srid S:MCPV:u32 number of times the server's id was reused
sess_other F:MCPV:u64 sessions that are not HTTP
h1sess F:MCPP:u64 HTTP only
h2sess F:MCPP:u64 HTTP only
h3sess F:MCPP:u64 HTTP only
req_other F:MCPP:u64 HTTP only
h1req F:MCPP:u64 HTTP only
h2req F:MCPP:u64 HTTP only
h3req F:MCPP:u64 HTTP only
proto - HTTP only
priv_idle_cur S:MGPV:u32 idle connection pools: HTTP only
reqbin FBS:MCPP:u64 bytes received from clients
reqbout FBS:MCPP:u64 bytes sent to servers
resbin FBS:MCPP:u64 bytes received from servers
resbout FBS:MCPP:u64 bytes sent to clients
cache_hint_hits - HTTP only
`;

function readColumn(line: string): StatField {
  const [name, ...rest] = line.split(" ");
  const kinds: Partial<Record<RowKind, Field>> = {};
  const words = rest.findIndex((word) => !/^[FBS]+:/.test(word));
  const description = rest.slice(words).join(" ").replace(/^- /, "");
  for (const word of rest.slice(0, words)) {
    const [rows, tags, type] = word.split(":");
    for (const row of rows) kinds[row as RowKind] = { name, tags, type: type as ValueType, description };
  }
  return { name, description, kinds };
}

const HAPROXY_FIELDS: readonly StatField[] = COLUMNS.trim().split("\n").map(readColumn);

export interface CutColumn {
  /** "cut_on_maint". */
  readonly name: string;
  readonly reason: CutReason;
}

/** A column for each reason why sessions ended before their time. */
export const CUT_COLUMNS: readonly CutColumn[] = Object.values(CutReason)
  .filter((reason) => reason !== CutReason.NONE)
  .map((reason) => ({ name: `cut_${CUT_REASON_NAMES[reason]!.replaceAll("-", "_")}`, reason }));

const CUT_FIELDS: readonly StatField[] = CUT_COLUMNS.map(({ name, reason }) =>
  readColumn(`${name} FBS:MCPP:u64 sessions ended before their time: ${CUT_REASON_NAMES[reason]}`),
);

/** Of HAProxy's columns; Headgate's own are behind them. */
export const HAPROXY_COLUMNS = HAPROXY_FIELDS.length;

export const STAT_FIELDS: readonly StatField[] = [...HAPROXY_FIELDS, ...CUT_FIELDS];

/** A line of CSV; the "-" ends HAProxy's own columns, and what a program adds stands behind it. */
export const csvLine = (values: readonly (string | number)[]): string =>
  `${[...values.slice(0, HAPROXY_COLUMNS), "-", ...values.slice(HAPROXY_COLUMNS)].join(",")},\n`;

export const STAT_HEADER = `# ${csvLine(STAT_FIELDS.map((field) => field.name))}`;
