// What a reload does, for people: one line for each thing, and all of it in one sentence. The one writer of it, before a reload (`plan`)
// and after it (its receipt, and the log). Pure; any thread.

import { formatTimeMs } from "../../../base/units.ts";
import type { SettingChange } from "../../../config/diff/model.ts";
import type { SourcePlace } from "../../../config/model.ts";
import { removalPolicyText } from "../removal-policy.ts";
import type {
  ChangedServer,
  Fate,
  LeavingProxy,
  LeavingServer,
  PlannedList,
  PlannedServer,
  PolicyCut,
  ReloadPlan,
  RuntimeValue,
} from "./model.ts";

/** What a line speaks of: something new, changed, gone, decided against an operator, or left as it is. */
type Mark = "+" | "~" | "-" | "!" | "=";

const COLOURS: Readonly<Record<Mark, string>> = { "+": "32", "~": "33", "-": "31", "!": "35", "=": "36" };

/** More servers of a backend than this, with nothing to tell them apart, share one line. */
const LISTED = 3;

interface Line {
  readonly mark: Mark;
  readonly text: string;
}

/** Lines of one kind at most; the JSON form has them all. */
const LINES_MOST = 100;

export interface TextOptions {
  /** ANSI colours for a terminal; off unless asked for. */
  readonly colour?: boolean;
}

/** The plan: its summary, and a line for each thing, each with its line feed. */
export function planText(plan: ReloadPlan, options: TextOptions = {}): string {
  const summary = planSummary(plan);
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}\n${linesText(plan, options)}`;
}

/** A line for each thing, each with its line feed; "" where there is nothing to tell. */
export function linesText(plan: ReloadPlan, { colour = false }: TextOptions): string {
  const shown = ({ mark, text }: Line): string =>
    colour ? `\x1b[${COLOURS[mark]}m${mark} ${text}\x1b[0m\n` : `${mark} ${text}\n`;
  return planLines(plan).map(shown).join("");
}

function planLines(plan: ReloadPlan): readonly Line[] {
  const { servers } = plan;
  const kinds: readonly (readonly Line[])[] = [
    plan.refusal === null ? [] : [line("!", `the reload is refused: ${plan.refusal}`)],
    ...proxyLines(plan),
    ...listenerLines(plan.listeners),
    addedServerLines(plan),
    changedServerLines(servers.changed),
    ...leavingServerLines(servers.leaving),
    serverLines("~", servers.adopted, "was leaving or added at runtime, and is the file's now"),
    serverLines("=", servers.dynamic, "was added at runtime, and stays"),
    serverLines("=", servers.staysDeleted, "was deleted at runtime, and stays so: its line says what it said before"),
    plan.cuts.map((cut) => line("!", cutText(cut))),
    plan.global.map(globalLine),
    plan.leavingThreads.map(({ thread, sessions }) =>
      line(
        "-",
        `relay thread ${thread} leaves${sessions === 0 ? ", without" : ` with ${sessions}`} session${sessions === 1 ? "" : "s"}`,
      ),
    ),
    ...listLines("resolvers", plan.resolvers),
    ...listLines("log", plan.logTargets),
    ...listLines("stats socket", plan.statsSockets),
    ...listLines("stats section", plan.statsSections),
    plan.overruled.map((value) => line("!", overruledText(value))),
    plan.staying.map((value) => line("=", `${runtimeText(value)}, stays (the file says ${value.file}, as before)`)),
  ];
  return kinds.flatMap(atMost);
}

/** So many that a terminal can show them, and how many more. */
function atMost(lines: readonly Line[]): readonly Line[] {
  const [first] = lines;
  const left = lines.length - LINES_MOST;
  if (first === undefined || left <= 1) return lines;
  return [...lines.slice(0, LINES_MOST), line(first.mark, `and ${left} more of this kind, which the JSON form lists`)];
}

const line = (mark: Mark, text: string): Line => ({ mark, text });

/** "1 server", "12 servers". */
const count = (number: number, what: string): string =>
  `${number} ${what}${number === 1 || what.endsWith("s") ? "" : "s"}`;

/** All of it in one sentence: "1 server added, 1 server leaving with 5 sessions." */
export function planSummary(plan: ReloadPlan): string {
  if (!plan.hasChanges) return "no changes, the files say what is loaded.";
  const { servers, proxies, listeners } = plan;
  const sessions = servers.leaving.reduce((sum, server) => sum + server.sessions, 0);
  const ended = plan.cuts.reduce((sum, cut) => sum + cut.sessions, 0);
  const settings = proxies.changed.length + plan.global.length;
  const parts: readonly (readonly [number, string])[] = [
    [proxies.added.length, `${count(proxies.added.length, "section")} added`],
    [proxies.leaving.length, `${count(proxies.leaving.length, "section")} removed`],
    [servers.added.length, `${count(servers.added.length, "server")} added`],
    [servers.changed.length, `${count(servers.changed.length, "server")} changed`],
    [
      servers.leaving.length,
      `${count(servers.leaving.length, "server")} leaving${sessions === 0 ? "" : ` with ${count(sessions, "session")}`}`,
    ],
    [listeners.opened.length, `${count(listeners.opened.length, "listener")} opened`],
    [listeners.moved.length, `${count(listeners.moved.length, "listener")} moved`],
    [listeners.closed.length, `${count(listeners.closed.length, "listener")} closed`],
    [settings, `settings changed`],
    [ended, `${count(ended, "session")} ended by policies`],
    [plan.overruled.length, `${count(plan.overruled.length, "runtime value")} overruled`],
  ];
  const texts = parts.filter(([number]) => number > 0).map(([, text]) => text);
  const restart = plan.needsRestart ? "; a restart is needed for some" : "";
  return `${texts.length === 0 ? "settings changed" : texts.join(", ")}${restart}.`;
}

function proxyLines({ proxies }: ReloadPlan): readonly (readonly Line[])[] {
  return [
    proxies.added.map(({ kind, name, servers, place }) =>
      line("+", `${kind} ${name}${servers > 0 ? ` with ${count(servers, "server")}` : ""}${at(place)}`),
    ),
    proxies.changed.map(({ kind, name, changes, place }) =>
      line("~", `${kind} ${name}: ${changesText(changes)}${at(place)}`),
    ),
    proxies.leaving.map((proxy) => line("-", `${proxy.kind} ${proxy.name} is removed${ofSection(proxy)}`)),
  ];
}

/** The sessions that its `on-removed` is about; those on servers that leave with it are told there. */
function ofSection(proxy: LeavingProxy): string {
  if (proxy.sessions === 0) return "";
  const number = count(proxy.sessions, "session");
  if (proxy.kind === "backend") {
    const [waits, is] = proxy.sessions === 1 ? ["waits", "is"] : ["wait", "are"];
    return `, ${number} ${waits} in it or ${is} on servers that left before${fate(proxy)}`;
  }
  const lets = ": it lets them stay (on-removed keep)";
  return `, ${number} came in by it${proxy.endsAfterMs === null ? lets : fate(proxy)}`;
}

function listenerLines({ opened, changed, moved, closed }: ReloadPlan["listeners"]): readonly (readonly Line[])[] {
  return [
    opened.map(({ address, frontend, place }) => line("+", `listener ${address} of ${frontend}${at(place)}`)),
    changed.map(({ address, frontend, changes, place }) =>
      line("~", `listener ${address} of ${frontend}: ${changesText(changes)}${at(place)}`),
    ),
    moved.map(({ address, from, frontend, changes, place }) => {
      const also = changes.length === 0 ? "" : `; ${changesText(changes)}`;
      return line("~", `listener ${address} goes from ${from} to ${frontend}, and stays open${also}${at(place)}`);
    }),
    closed.map(({ address, frontend }) => line("-", `listener ${address} of ${frontend} is closed`)),
  ];
}

/** Those of added sections are counted there. */
function addedServerLines({ proxies, servers }: ReloadPlan): readonly Line[] {
  const sections = new Set(proxies.added.filter(({ servers: own }) => own > 0).map(({ name }) => name));
  const own = servers.added.filter(({ backend }) => !sections.has(backend));
  const replaced = new Set(servers.leaving.filter(({ why }) => why === "readdressed").map(nameOf));
  return grouped(own, (server) => (replaced.has(nameOf(server)) ? "new address" : "")).map(
    ({ first, members, text }) => {
      const what = text === "" ? "" : `, at its ${text}`;
      return line(
        "+",
        `${membersText(members)}${members.length === 1 ? ` ${first.address}` : ""}${what}${at(first.place)}`,
      );
    },
  );
}

function changedServerLines(changed: readonly ChangedServer[]): readonly Line[] {
  return grouped(changed, ({ changes }) => changesText(changes)).map(({ first, members, text }) =>
    line("~", `${membersText(members)}: ${text}${at(first.place)}`),
  );
}

function leavingServerLines(leaving: readonly LeavingServer[]): readonly (readonly Line[])[] {
  const busy = leaving.filter(({ sessions }) => sessions > 0);
  const idle = leaving.filter(({ sessions }) => sessions === 0);
  return [
    busy.map((server) => {
      const called = server.called === server.server ? "" : `, now called ${server.backend}/${server.called}`;
      const sessions = count(server.sessions, "session");
      return line("-", `server ${nameOf(server)} ${server.address} leaves with ${sessions}${called}${fate(server)}`);
    }),
    grouped(idle, () => "").map(({ first, members }) => {
      const address = members.length === 1 ? ` ${first.address} leaves` : " leave";
      return line("-", `${membersText(members)}${address}, without sessions`);
    }),
  ];
}

function serverLines(mark: Mark, servers: readonly PlannedServer[], text: string): readonly Line[] {
  return servers.map((server) => line(mark, `server ${nameOf(server)} ${text}`));
}

/** What becomes of the sessions, as the end of a sentence; nothing where there are none. */
function fate({ sessions, policy, endsAfterMs }: Fate): string {
  if (sessions === 0) return "";
  const said = removalPolicyText(policy);
  if (endsAfterMs === 0) return `: ended at once (on-removed ${said})`;
  if (endsAfterMs === null) return `: they stay until they end (on-removed ${said})`;
  const isOwn = policy.kind === "drain" && policy.timeMs === endsAfterMs;
  const bound = isOwn ? "" : ", hard-stop-after";
  return `: ended after ${formatTimeMs(endsAfterMs)} at the latest (on-removed ${said}${bound})`;
}

/** "b/s1 is in maintenance: its 3 sessions are ended at once (on-maint shutdown-sessions)" */
function cutText({ of, because, setting, says, sessions, endsAfterMs }: PolicyCut): string {
  const number = count(sessions, "session");
  const [is, has] = sessions === 1 ? ["is", "has"] : ["are", "have"];
  if (because === "older") return `${of}: ${number} ${is} older than ${setting} ${says}, and ${is} ended`;
  if (because === "idle")
    return `${of}: ${number} ${has} been quiet for longer than ${setting} ${says}, and ${is} ended`;
  const time =
    endsAfterMs === null ? "when quiet" : endsAfterMs === 0 ? "at once" : `within ${formatTimeMs(endsAfterMs)}`;
  return `${of} ${because}: its ${number} ${is} ended ${time} (${setting} ${says})`;
}

function globalLine(change: ReloadPlan["global"][number]): Line {
  const waits = change.effect === "needs a restart";
  return line(waits ? "!" : "~", `global: ${changeText(change)}${waits ? ", which needs a restart" : ""}`);
}

function listLines(what: string, { added, changed, removed }: PlannedList): readonly (readonly Line[])[] {
  return [
    added.map((name) => line("+", `${what} ${name}`)),
    changed.map(({ name, changes }) => line("~", `${what} ${name}: ${changesText(changes)}`)),
    removed.map((name) => line("-", `${what} ${name}`)),
  ];
}

const runtimeText = ({ of, setting, runtime }: RuntimeValue): string => `${of}: ${setting} ${runtime}, set at runtime`;

/** "be/s1: weight 7, set at runtime, is lost: the file now says 20" */
export function overruledText(value: RuntimeValue): string {
  const why = value.isReaddressed ? "is lost: its new address is a new server, with" : "is lost: the file now says";
  return `${runtimeText(value)}, ${why} ${value.file}`;
}

const changesText = (changes: readonly SettingChange[]): string => changes.map(changeText).join(", ");

function changeText({ name, old, new: now }: SettingChange): string {
  if (old === undefined) return now === "on" ? `${name} is on` : `${name} ${now}, was not set`;
  if (now === undefined) return old === "on" ? `${name} is off` : `${name} is not set, was ${old}`;
  return `${name} ${old} -> ${now}`;
}

const nameOf = ({ backend, server }: PlannedServer): string => `${backend}/${server}`;

const at = ({ file, line: number }: SourcePlace): string => ` (${file}:${number})`;

interface Group<T> {
  readonly first: T;
  readonly members: T[];
  readonly text: string;
}

/** Servers of one backend with the same text together, if they are many; in the order of the first of each. */
function grouped<T extends PlannedServer>(servers: readonly T[], textOf: (server: T) => string): readonly Group<T>[] {
  const groups = new Map<string, Group<T>>();
  for (const server of servers) {
    const text = textOf(server);
    const key = `${server.backend} ${text}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: server, members: [server], text });
    else group.members.push(server);
  }
  return [...groups.values()].flatMap((group) =>
    group.members.length > LISTED
      ? [group]
      : group.members.map((first) => ({ first, members: [first], text: group.text })),
  );
}

/** "server b/s1", or "40 servers of b (s1, s2, s3, ...)". */
function membersText(members: readonly PlannedServer[]): string {
  const [first] = members;
  if (first === undefined || members.length === 1) return `server ${first === undefined ? "" : nameOf(first)}`;
  const names = members.slice(0, LISTED).map(({ server }) => server);
  return `${members.length} servers of ${first.backend} (${names.join(", ")}, ...)`;
}
