// `show sess`: the sessions, one line each, or in a large format. The table is read in parts with pauses between, so that neither
// its size nor a slow reader holds up the control thread.

import type { Program } from "../control/program.ts";
import { statsOf } from "../control/stats/program-stats.ts";
import { localAddresses } from "../control/stats/session-sockets.ts";
import type { Selector } from "../memory/selector.ts";
import { dump, failure, info } from "./answers.ts";
import type { Answer, Operation } from "./operation.ts";
import { SELECTOR_USAGE, SelectorWords } from "./selector-words.ts";
import { controlLine, controlParagraph, sessionLine, sessionParagraph } from "./session-lines.ts";
import { visitSelected } from "./session-rows.ts";
import { type SessionView, viewSession } from "./session-view.ts";
import { parseTop, TOP_USAGE, topSessions } from "./show-sess-top.ts";
import { parseSessionId } from "./shutdown.ts";
import type { Found } from "./targets.ts";

const USAGE = [
  "Usage: show sess [<id> | all | help] [<options>*]",
  `       ${TOP_USAGE}`,
  "Shows the sessions, one line each.",
  "First word:",
  "   <id>              only this session (0x...), in the large format",
  "   all               all of them, in the large format",
  "   top               the first n by bytes passed on, age, idle time, or bytes a second now",
  "   help              show this text",
  "Options:",
  "   susp              only those without a deadline ahead",
  ...SELECTOR_USAGE,
].join("\n");

interface Filter {
  readonly id?: number;
  readonly large: boolean;
  readonly suspicious: boolean;
  readonly selector: Selector;
  /** Filters that management connections do not meet. */
  readonly isNarrow: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export const showSess: Operation = {
  words: ["show", "sess"],
  args: "[help|<id>|all|top] <option>*",
  level: "operator",
  summary: "show the sessions, or one of them (help: the options)",
  run({ program, signal }, args): Answer {
    if (args[0] === "help") return info(USAGE);
    if (args[0] === "top") {
      const top = parseTop(program.registry, args.slice(1));
      return top.error !== undefined ? failure(top.error) : dump(topSessions(program, top.found, signal));
    }
    const filter = parseFilter(program, args);
    if (filter.error !== undefined) return failure(filter.error);
    return dump(sessionTexts(program, filter.found));
  },
};

function parseFilter(program: Program, args: readonly string[]): Found<Filter> {
  const words = new SelectorWords(program.registry);
  const filter: Mutable<Pick<Filter, "id" | "large" | "suspicious">> = { large: false, suspicious: false };
  let at = 0;
  const [first] = args;
  if (first === "all") {
    filter.large = true;
    at = 1;
  } else if (first !== undefined && /^(0x[0-9a-f]+|\d+)$/i.test(first)) {
    filter.id = parseSessionId(first) ?? 0;
    filter.large = true;
    at = 1;
  }
  while (at < args.length) {
    const taken = words.take(args, at);
    if (taken.error !== undefined) return taken;
    if (taken.found === 0) {
      if (args[at] === "susp") filter.suspicious = true;
      else if (args[at] !== "show-uri") {
        return { error: `Unsupported option '${args[at]}', try 'help' for more info.` };
      }
    }
    at += Math.max(1, taken.found);
  }
  const { selector } = words;
  const { from, idleMs, bytesOver, phases } = selector;
  const isNarrow = words.isNamed || from !== undefined || idleMs > 0 || bytesOver >= 0 || phases !== 0;
  return { found: { ...filter, selector, isNarrow } };
}

async function* sessionTexts(program: Program, filter: Filter): AsyncGenerator<string> {
  const text = (session: SessionView): string =>
    filter.large ? sessionParagraph(session, localAddresses(program.memory, session.id)) : sessionLine(session);
  let shown = false;
  let part = "";
  yield* visitSelected(
    program,
    filter.selector,
    ({ reader, thread, nowMs }) => {
      if (filter.id !== undefined && reader.id !== filter.id) return;
      const session = viewSession(program, reader, thread, nowMs);
      if (filter.suspicious && session.expiryMs !== undefined && session.expiryMs > 0) return;
      part += text(session);
    },
    () => {
      const whole = part;
      part = "";
      if (whole === "") return undefined;
      shown = true;
      return whole;
    },
  );
  const controls = controlTexts(program, filter);
  if (controls !== "") yield controls;
  else if (filter.id !== undefined && !shown) yield "Session not found.\n";
}

/** The management connections; of the filters only an age matches them, and all have a deadline ahead. */
function controlTexts(program: Program, filter: Filter): string {
  if (filter.isNarrow || filter.suspicious) return "";
  const nowMs = program.nowMs();
  const text = filter.large ? controlParagraph : controlLine;
  return statsOf(program)
    .controlConnections.open.filter((connection) => filter.id === undefined || connection.id === filter.id)
    .filter((connection) => nowMs - connection.sinceMs >= filter.selector.olderMs)
    .map((connection) => text(connection, nowMs))
    .join("");
}
