// The lines of `show info`: position, name, tags and type as in HAProxy, and where each value comes from. Positions that are
// missing are those of TLS and zlib, which Headgate does not have.

import { hostname } from "node:os";
import type { Program } from "../control/program.ts";
import { statsOf } from "../control/stats/program-stats.ts";
import { sumThreads } from "../control/stats/sums.ts";
import { W_CONNECTIONS, W_MAXCONN } from "../memory/control-words.ts";
import {
  CT_BYTES_OUT,
  CT_BYTES_SPLICED,
  CT_CONNECTIONS,
  CT_MAXCONN_REACHED,
  CT_PIPES_FREE,
  CT_PIPES_USED,
  CT_SESSIONS,
} from "../memory/counters.ts";
import type { Field, ValueType } from "./typed-values.ts";

export interface InfoField extends Field {
  readonly position: number;
  /** undefined: the line is left out. */
  value(now: InfoSource): string | number | undefined;
}

/** What the values are read from: computed once for one answer. */
export interface InfoSource {
  readonly program: Program;
  readonly uptimeSeconds: number;
  readonly float: boolean;
  readonly sessions: number;
  readonly controlConnections: number;
  readonly connectionsTotal: number;
  readonly listeners: number;
  readonly residentBytes: number;
}

/** What is resident now; in a root directory without /proc, the most that ever was. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

/** Reads once what several values need; `float`: seconds keep their fraction. */
export function infoSource(program: Program, float: boolean): InfoSource {
  const { controlConnections } = statsOf(program);
  const { memory, registry } = program;
  const bound = registry.listenersByIndex.filter((listener) => listener !== undefined && listener.fd >= 0).length;
  return {
    program,
    uptimeSeconds: Math.max(0, Date.now() - program.startWallMs) / 1000,
    float,
    sessions: sumThreads(memory, CT_SESSIONS),
    controlConnections: controlConnections.open.length,
    connectionsTotal: sumThreads(memory, CT_CONNECTIONS) + controlConnections.total,
    listeners: bound + controlConnections.sockets.length,
    residentBytes: residentBytes(),
  };
}

const MIB = 1_048_576;
const whole = (value: number, float: boolean): number => (float ? value : Math.floor(value));
const rates = (now: InfoSource) => statsOf(now.program).rates;

/** "0d 0h00m22s" */
export function uptimeText(totalSeconds: number): string {
  const seconds = Math.floor(totalSeconds);
  const two = (value: number): string => `${value}`.padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${hours % 24}h${two(minutes % 60)}m${two(seconds % 60)}s`;
}

const FIELDS: InfoField[] = [];
let nextPosition = 0;

function add(
  name: string,
  tags: string,
  type: ValueType,
  description: string,
  value: InfoField["value"] | string | number,
): void {
  const read = typeof value === "function" ? value : () => value;
  FIELDS.push({ position: nextPosition++, name, tags, type, description, value: read });
}

add("Name", "POSV", "str", "product name", "Headgate");
add("Version", "POSV", "str", "product version", ({ program }) => program.version);
add("Release_date", "POSV", "str", "date of the release", ({ program }) => program.releaseDate);
add("Nbthread", "CGSV", "u32", "relay threads", ({ program }) => program.threads);
add("Nbproc", "CGSV", "u32", "processes: always 1", 1);
add("Process_num", "KGPV", "u32", "number of this process: always 1", 1);
add("Pid", "SGPV", "u32", "process id", ({ program }) => program.pid);
add("Uptime", "MDPV", "str", "time since the start", ({ uptimeSeconds }) => uptimeText(uptimeSeconds));
add("Uptime_sec", "MDPV", "u32", "seconds since the start", (now) => whole(now.uptimeSeconds, now.float));
add("Memmax_MB", "CLPV", "u32", "memory limit in MiB: none", 0);
add("PoolAlloc_MB", "MGPV", "u32", "resident memory in MiB", (now) => Math.floor(now.residentBytes / MIB));
add("PoolUsed_MB", "MGPV", "u32", "resident memory in MiB", (now) => Math.floor(now.residentBytes / MIB));
add("PoolFailed", "MCPV", "u32", "allocations that failed", 0);
add("Ulimit-n", "CLPV", "u32", "limit of file descriptors", ({ program }) => program.fileLimit);
add("Maxsock", "CLPV", "u32", "limit of sockets", ({ program }) => program.fileLimit);
add("Maxconn", "CLPV", "u32", "limit of client connections in force", ({ program }) => program.memory.words[W_MAXCONN]);
add(
  "Hard_maxconn",
  "CLPV",
  "u32",
  "limit of client connections at the start: the most that it can be set to",
  (now) => now.program.maxconn,
);
add("CurrConns", "MGPV", "u32", "client connections", (now) => Atomics.load(now.program.memory.words, W_CONNECTIONS));
add(
  "CumConns",
  "MCPV",
  "u32",
  "connections accepted, those to the stats sockets included",
  (now) => now.connectionsTotal,
);
add("CumReq", "MCPV", "u32", "sessions so far, those of the stats sockets included", (now) => now.connectionsTotal);
nextPosition = 23;
add("Maxpipes", "CLPV", "u32", "limit of splice pipes: none", 0);
add("PipesUsed", "MGPV", "u32", "splice pipes in use", ({ program }) => sumThreads(program.memory, CT_PIPES_USED));
add("PipesFree", "MGPV", "u32", "splice pipes kept for reuse", ({ program }) =>
  sumThreads(program.memory, CT_PIPES_FREE),
);
add("ConnRate", "MRPV", "u32", "connections accepted in the last second", (now) => rates(now).connections().now);
add("ConnRateLimit", "CLPV", "u32", "limit of ConnRate: none", 0);
add("MaxConnRate", "MMPV", "u32", "highest ConnRate", (now) => rates(now).connections().max);
add("SessRate", "MRPV", "u32", "sessions created in the last second", (now) => rates(now).sessions().now);
add("SessRateLimit", "CLPV", "u32", "limit of SessRate: none", 0);
add("MaxSessRate", "MRPV", "u32", "highest SessRate", (now) => rates(now).sessions().max);
nextPosition = 42;
add("CompressBpsIn", "MRPV", "u32", "no compression: always 0", 0);
add("CompressBpsOut", "MRPV", "u32", "no compression: always 0", 0);
add("CompressBpsRateLim", "CLPV", "u32", "no compression: always 0", 0);
nextPosition = 47;
add(
  "Tasks",
  "MGPV",
  "u32",
  "sessions, those of the stats sockets included",
  (now) => now.sessions + now.controlConnections,
);
add("Run_queue", "MGPV", "u32", "no run queue: always 0", 0);
add(
  "Idle_pct",
  "MaPV",
  "u32",
  "percent of the last second that the relay threads waited",
  (now) => rates(now).idlePercent,
);
add("node", "COSV", "str", "host name", () => hostname());
add("description", "COSV", "str", "description of the node", () => undefined);
add("Stopping", "MGPV", "u32", "1 while a soft stop is under way", ({ program }) => (program.stopping ? 1 : 0));
add(
  "Jobs",
  "MGPV",
  "u32",
  "listeners, sessions and connections to the stats sockets",
  (now) => now.listeners + now.sessions + now.controlConnections,
);
add("Unstoppable Jobs", "MGPV", "u32", "jobs that a soft stop does not end: always 0", 0);
add("Listeners", "MGPV", "u32", "listening sockets, stats sockets included", (now) => now.listeners);
add("ActivePeers", "MGPV", "u32", "no peers: always 0", 0);
add("ConnectedPeers", "MGPV", "u32", "no peers: always 0", 0);
add("DroppedLogs", "MGPV", "u32", "log messages that could not be delivered", ({ program }) => program.droppedLogs());
add("BusyPolling", "MGPV", "u32", "no busy polling: always 0", 0);
add("FailedResolutions", "MGPV", "u32", "no name resolution at run time: always 0", 0);
add("TotalBytesOut", "MGPV", "u64", "bytes sent to clients and servers", ({ program }) =>
  sumThreads(program.memory, CT_BYTES_OUT),
);
add("TotalSplicedBytesOut", "MGPV", "u64", "bytes sent through a splice pipe", ({ program }) =>
  sumThreads(program.memory, CT_BYTES_SPLICED),
);
add("BytesOutRate", "MRPV", "u64", "bytes sent in the last second", (now) => rates(now).bytesOut());
add("DebugCommandsIssued", "MGPV", "u32", "no debug commands: always 0", 0);
add("CumRecvLogs", "MCPV", "u32", "no log forwarding: always 0", 0);
add("Build info", "POSV", "str", "product version", ({ program }) => program.version);
add("Memmax_bytes", "CLPV", "u32", "memory limit in bytes: none", 0);
add("PoolAlloc_bytes", "MGPV", "u64", "resident memory in bytes", (now) => now.residentBytes);
add("PoolUsed_bytes", "MGPV", "u64", "resident memory in bytes", (now) => now.residentBytes);
add("Start_time_sec", "MDPV", "u32", "start, in seconds since 1970", (now) =>
  whole(now.program.startWallMs / 1000, now.float),
);
add("Tainted", "SGPV", "str", "no unsafe features: always 0", "0");
add("TotalWarnings", "MCPV", "u32", "warnings issued: not counted", 0);
add("MaxconnReached", "MCPV", "u32", "times a full process or frontend stopped accepting", (now) =>
  sumThreads(now.program.memory, CT_MAXCONN_REACHED),
);
add("BootTime_ms", "MDPV", "u32", "ms between the start and readiness", ({ program }) => Math.round(program.bootMs));
add("Niced_tasks", "MGPV", "u32", "no niced tasks: always 0", 0);
add(
  "CurrStreams",
  "MGPV",
  "u64",
  "sessions, those of the stats sockets included",
  (now) => now.sessions + now.controlConnections,
);
add("CumStreams", "MCPV", "u64", "sessions so far, those of the stats sockets included", (now) => now.connectionsTotal);
add("BlockedTrafficWarnings", "MCPV", "u32", "warnings about blocked threads: not counted", 0);
add("PatternsAdded", "MGPV", "u64", "no patterns: always 0", 0);
add("PatternsFreed", "MGPV", "u64", "no patterns: always 0", 0);
add("NbThreadGroups", "CGSV", "u32", "thread groups: always 1", 1);

export const INFO_FIELDS: readonly InfoField[] = FIELDS;
