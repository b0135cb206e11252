// `show sess`: the sessions, one line each, or in a large format. The table is read in parts with pauses between, so that neither
// its size nor a slow reader holds up the control thread.

import { parseTimeMs } from "../base/units.ts";
import type { Program } from "../control/program.ts";
import { findProxy, type ProxyEntry, type ServerEntry } from "../control/registry.ts";
import { statsOf } from "../control/stats/program-stats.ts";
import { SessionReader, usedRows } from "../control/stats/session-reader.ts";
import { S_GENERATION, SESSION_WORDS } from "../memory/session-row.ts";
import { dump, failure, info } from "./answers.ts";
import type { Answer, Operation } from "./operation.ts";
import { controlLine, controlParagraph, sessionLine, sessionParagraph } from "./session-lines.ts";
import { type SessionView, viewSession } from "./session-view.ts";
import { parseSessionId } from "./shutdown.ts";
import { type Found, findTarget } from "./targets.ts";

const USAGE = [
  "Usage: show sess [<id> | all | help] [<options>*]",
  "Shows the sessions, one line each.",
  "First word:",
  "   <id>         only this session (0x...), in the large format",
  "   all          all of them, in the large format",
  "   help         show this text",
  "Options:",
  "   older <age>  only those that are older, in seconds by default",
  "   susp         only those without a deadline ahead",
  "   server <b/s> only those of this server",
  "   backend <b>  only those of this backend",
  "   frontend <f> only those of this frontend",
].join("\n");

/** Rows that are looked at before the control thread does something else. */
const ROWS_PER_PART = 256;

interface Filter {
  readonly id?: number;
  readonly large: boolean;
  readonly olderMs: number;
  readonly suspicious: boolean;
  readonly server?: ServerEntry;
  readonly backend?: ProxyEntry;
  readonly frontend?: ProxyEntry;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export const showSess: Operation = {
  words: ["show", "sess"],
  args: "[help|<id>|all] [<option>]*",
  level: "operator",
  summary: "show the sessions, or one of them (help: the options)",
  run({ program }, args): Answer {
    if (args[0] === "help") return info(USAGE);
    const filter = parseFilter(program, args);
    if (filter.error !== undefined) return failure(filter.error);
    return dump(sessionTexts(program, filter.found));
  },
};

function parseFilter(program: Program, args: readonly string[]): Found<Filter> {
  const filter: Mutable<Filter> = { large: false, olderMs: 0, suspicious: false };
  let at = 0;
  const [first] = args;
  if (first === "all") {
    filter.large = true;
    at = 1;
  } else if (first !== undefined && /^0x[0-9a-f]+$/i.test(first)) {
    filter.id = parseSessionId(first) ?? 0;
    filter.large = true;
    at = 1;
  }
  while (at < args.length) {
    const error = parseOption(program, filter, args[at], args[at + 1]);
    if (error !== undefined) return { error };
    at += args[at] === "susp" || args[at] === "show-uri" ? 1 : 2;
  }
  return { found: filter };
}

function parseOption(
  program: Program,
  filter: Mutable<Filter>,
  option: string,
  name: string | undefined,
): string | undefined {
  const { registry } = program;
  const isNamed = (filter.server ?? filter.backend ?? filter.frontend) !== undefined;
  switch (option) {
    case "susp":
      filter.suspicious = true;
      return undefined;
    case "show-uri":
      return undefined;
    case "older": {
      if (name === undefined) return "Expects a minimum age (in seconds by default).";
      const age = parseTimeMs(name, "s");
      if (!age.ok) return "Invalid age.";
      filter.olderMs = age.value;
      return undefined;
    }
    case "server": {
      if (name === undefined) return "Missing server name (<backend>/<server>).";
      if (isNamed) return ONLY_ONE;
      const target = findTarget(registry, name);
      filter.server = target.found;
      return target.error;
    }
    case "backend":
    case "frontend": {
      if (name === undefined) return `Missing ${option} name.`;
      if (isNamed) return ONLY_ONE;
      filter[option] = findProxy(registry, name, option);
      return filter[option] === undefined ? `No such ${option}.` : undefined;
    }
    default:
      return `Unsupported option '${option}', try 'help' for more info.`;
  }
}

const ONLY_ONE = "Only one of backend, frontend or server may be set.";

function matches(session: SessionView, filter: Filter): boolean {
  if (session.ageMs < filter.olderMs) return false;
  if (filter.suspicious && session.expiryMs !== undefined && session.expiryMs > 0) return false;
  if (filter.server !== undefined && session.server !== filter.server) return false;
  if (filter.backend !== undefined && session.backend !== filter.backend) return false;
  return filter.frontend === undefined || session.frontend === filter.frontend;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function* sessionTexts(program: Program, filter: Filter): AsyncGenerator<string> {
  const text = filter.large ? sessionParagraph : sessionLine;
  let shown = false;
  for (let thread = 0; thread < program.threads; thread++) {
    const reader = new SessionReader(program.memory);
    const { from, to } = usedRows(program.memory, thread);
    for (let row = from; row < to; ) {
      const nowMs = program.nowMs();
      const end = Math.min(to, row + ROWS_PER_PART);
      let part = "";
      for (; row < end; row++) {
        if (!isTaken(program, row) || !reader.read(row)) continue;
        if (filter.id !== undefined && reader.id !== filter.id) continue;
        const session = viewSession(program, reader, thread, nowMs);
        if (matches(session, filter)) part += text(session);
      }
      if (part !== "") {
        shown = true;
        yield part;
      }
      await nextTurn();
    }
  }
  const controls = controlTexts(program, filter);
  if (controls !== "") yield controls;
  else if (filter.id !== undefined && !shown) yield "Session not found.\n";
}

const isTaken = (program: Program, row: number): boolean =>
  (program.memory.sessions[row * SESSION_WORDS + S_GENERATION] & 1) === 1;

/** The management connections; no filter by name matches them, and all have a deadline ahead. */
function controlTexts(program: Program, filter: Filter): string {
  if ((filter.server ?? filter.backend ?? filter.frontend) !== undefined || filter.suspicious) return "";
  const nowMs = program.nowMs();
  const text = filter.large ? controlParagraph : controlLine;
  return statsOf(program)
    .controlConnections.open.filter((connection) => filter.id === undefined || connection.id === filter.id)
    .filter((connection) => nowMs - connection.sinceMs >= filter.olderMs)
    .map((connection) => text(connection, nowMs))
    .join("");
}
