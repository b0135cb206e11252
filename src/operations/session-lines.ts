// The texts of `show sess`: a line for each session, or a paragraph. Names and order of the fields as in HAProxy; what only
// exists inside HAProxy (addresses of its structures, analysers) is left out of the paragraph and constant in the line.

import type { ControlConnection } from "../control/stats/control-connections.ts";
import type { LocalAddresses } from "../control/stats/session-sockets.ts";
import { type SessionView, SIDE_NAMES, SideState, type SideView } from "./session-view.ts";
import { shortTime } from "./state-text.ts";

export const shownId = (id: number): string => `0x${id.toString(16)}`;

const optional = (ms: number | undefined): string => (ms === undefined ? "" : shortTime(ms));
const orNever = (ms: number | undefined): string => (ms === undefined ? "<NEVER>" : shortTime(ms));

/** HAProxy's flags of the two channels of an ordinary session, before and after the connection to the server. */
const REQUEST_FLAGS = { waiting: "808000", established: "848000" } as const;
const RESPONSE_FLAGS = { waiting: "80000000", established: "80048000" } as const;

const phaseOf = (session: SessionView): "waiting" | "established" =>
  session.serverSide.state === SideState.ESTABLISHED ? "established" : "waiting";

const sideWord = (side: SideView): string =>
  `[${side.state},${side.flags.toString(16)}h,fd=1/${side.fd},rex=${optional(side.readExpiryMs)},wex=${optional(side.writeExpiryMs)}]`;

/** One line, thread number (from 1) at its end, with its line feed. */
export function sessionLine(session: SessionView): string {
  const phase = phaseOf(session);
  return (
    `${shownId(session.id)}: proto=${session.protocol} src=${session.source} fe=${session.frontend?.name ?? "?"} ` +
    `be=${session.backend?.name ?? "<NONE>"} srv=${session.server?.name ?? "<none>"} ts=00 epoch=0 ` +
    `age=${shortTime(session.ageMs)} calls=${session.calls} rate=0 cpu=0 lat=0 ` +
    `rq[f=${REQUEST_FLAGS[phase]}h,i=${session.heldUp},an=00h,ax=] ` +
    `rp[f=${RESPONSE_FLAGS[phase]}h,i=${session.heldDown},an=00h,ax=] ` +
    `scf=${sideWord(session.client)} scb=${sideWord(session.serverSide)} ` +
    `exp=${optional(session.expiryMs)} rc=${session.retries} c_exp=${optional(session.connectExpiryMs)} ` +
    `thread=${session.thread + 1}\n`
  );
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "22/Nov/2026:15:33:11.813000", local time. */
function dateText(wallMs: number): string {
  const date = new Date(wallMs);
  const pad = (value: number, width = 2): string => `${value}`.padStart(width, "0");
  const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  return `${pad(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}:${time}.${pad(date.getMilliseconds(), 3)}000`;
}

function sideParagraph(name: string, side: SideView): string {
  const flags = `0x${side.flags.toString(16).padStart(8, "0")}`;
  return (
    `  ${name}: flags=${flags} state=${SIDE_NAMES[side.state] ?? "INI"} in=${side.bytesIn} out=${side.bytesOut} ` +
    `rex=${orNever(side.readExpiryMs)} wex=${orNever(side.writeExpiryMs)}\n      fd=1/${side.fd}\n`
  );
}

/** The large format. */
export function sessionParagraph(session: SessionView, local: LocalAddresses): string {
  const { frontend, backend, server, listener } = session;
  const phase = phaseOf(session);
  const dialled = local.client === "unix" ? `unix:${listener?.id ?? 0}` : (local.client ?? listener?.address ?? "");
  const serverAddress =
    server === undefined || session.serverSide.fd < 0
      ? ""
      : ` addr=${server.config.endpoint.kind !== "inet" ? "unix" : `${server.host}:${server.port}`}`;
  return (
    `${shownId(session.id)}: [${dateText(session.acceptWallMs)}] id=${session.id} proto=${session.protocol} source=${session.source}\n` +
    `  flags=0x${phase === "established" ? "4a" : "8"}, conn_retries=${session.retries}, ` +
    `conn_exp=${orNever(session.connectExpiryMs)} epoch=0\n` +
    `  frontend=${frontend?.name ?? "?"} (id=${frontend?.id ?? 0} mode=tcp), ` +
    `listener=${listener?.bind.name ?? "?"} (id=${listener?.id ?? 0}) addr=${dialled}\n` +
    `  backend=${backend === undefined ? "<NONE> (id=-1 mode=-)" : `${backend.name} (id=${backend.id} mode=tcp)`}` +
    `${local.server === undefined ? "" : ` addr=${local.server}`}\n` +
    `  server=${serverWord(session)}${serverAddress}\n` +
    `  task: calls=${session.calls} exp=${orNever(session.expiryMs)} tid=${session.thread} age=${shortTime(session.ageMs)}\n` +
    sideParagraph("scf", session.client) +
    sideParagraph("scb", session.serverSide) +
    `  req: (f=0x${REQUEST_FLAGS[phase]} an=0x0 tofwd=-1) held=${session.heldUp}\n` +
    `  res: (f=0x${RESPONSE_FLAGS[phase]} an=0x0 tofwd=-1) held=${session.heldDown}\n`
  );
}

function serverWord({ backend, server }: SessionView): string {
  if (backend === undefined) return "<NONE> (id=-1)";
  return server === undefined ? "<none> (id=0)" : `${server.name} (id=${server.id})`;
}

/** A management connection, in the form of a session of the frontend GLOBAL. */
export function controlLine(connection: ControlConnection, nowMs: number): string {
  const timeout = shortTime(connection.timeoutMs());
  return (
    `${shownId(connection.id)}: proto=${connection.protocol} src=${connection.source} fe=GLOBAL be=<NONE> srv=<none> ts=00 ` +
    `epoch=0 age=${shortTime(nowMs - connection.sinceMs)} calls=${connection.commands} rate=0 cpu=0 lat=0 ` +
    `rq[f=10848000h,i=0,an=00h,ax=] rp[f=80008000h,i=0,an=00h,ax=] scf=[8,0h,fd=1/${connection.fd},rex=${timeout},wex=] ` +
    `scb=[8,1h,fd=1/-1,rex=,wex=] exp=${timeout} rc=0 c_exp= thread=0\n`
  );
}

/** The same in the large format. */
export function controlParagraph(connection: ControlConnection, nowMs: number): string {
  const timeout = shortTime(connection.timeoutMs());
  const ageMs = nowMs - connection.sinceMs;
  return (
    `${shownId(connection.id)}: [${dateText(Date.now() - ageMs)}] id=${connection.id} proto=${connection.protocol} source=${connection.source}\n` +
    `  flags=0x8, conn_retries=0, conn_exp=<NEVER> epoch=0\n` +
    `  frontend=GLOBAL (id=0 mode=tcp), listener=? (id=1) addr=${connection.source}\n` +
    "  backend=<NONE> (id=-1 mode=-)\n  server=<NONE> (id=-1)\n" +
    `  task: calls=${connection.commands} exp=${timeout} tid=control age=${shortTime(ageMs)}\n` +
    `  scf: flags=0x00000000 state=EST rex=${timeout} wex=<NEVER>\n      fd=1/${connection.fd}\n`
  );
}
