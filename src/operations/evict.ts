// `evict server`, `evict sessions`, `evict cancel`, `show evictions`: sessions are let go, with a receipt. The answer comes when the eviction
// is over; it goes on if nobody is left to hear of it.

import type { Change } from "../control/change.ts";
import type { Program } from "../control/program.ts";
import type { Eviction } from "../control/reconcile/eviction.ts";
import { EVERY_SESSION } from "../memory/selector.ts";
import { answerOf, dump, failure, info, warning } from "./answers.ts";
import { noteCarrier } from "./carrier.ts";
import { type EvictionTarget, forecast, forecastText } from "./evict-dry-run.ts";
import { EVICT_SESSIONS_USAGE, EVICT_USAGE, parseEvictSessions, parseEvictWords } from "./evict-words.ts";
import { receiptLine, receiptOf, receiptText } from "./eviction-receipt.ts";
import type { Answer, Operation, OperationContext } from "./operation.ts";
import { SELECTOR_USAGE } from "./selector-words.ts";
import { findTarget } from "./targets.ts";

/** What follows for the session that the order came through. */
const RECEIPT_KEPT = "ends with the others: if no receipt follows, another connection gets it by 'show evictions'.";

export const evictServer: Operation = {
  words: ["evict", "server"],
  args: "<b>/<s> <option>*",
  level: "admin",
  summary: "take a server out, with a receipt (evict help: options)",
  async run(context, args) {
    const { program } = context;
    const target = findTarget(program.registry, args[0]);
    if (target.error !== undefined) return failure(target.error);
    const words = parseEvictWords(args.slice(1));
    if (words.error !== undefined) return failure(words.error);
    const { request, dryRun, json } = words.found;
    if (dryRun) return dryRunAnswer(program, { server: target.found }, json);
    await noteCarrier(context, { selector: { ...EVERY_SESSION, server: target.found.index } }, RECEIPT_KEPT, json);
    return evict(context, { kind: "evict-server", server: target.found, request }, json);
  },
};

export const evictSessions: Operation = {
  words: ["evict", "sessions"],
  args: "<filter> <option>*",
  level: "admin",
  summary: "let the sessions go that all filters match now, with a receipt (evict help: options)",
  async run(context, args) {
    const { program } = context;
    const words = parseEvictSessions(program.registry, args);
    if (words.error !== undefined) return failure(words.error);
    const { selector, filter, request, dryRun, json } = words.found;
    if (dryRun) return dryRunAnswer(program, { selector, filter }, json);
    await noteCarrier(context, { selector }, RECEIPT_KEPT, json);
    return evict(context, { kind: "evict-sessions", selector, filter, request }, json);
  },
};

async function dryRunAnswer(program: Program, target: EvictionTarget, json: boolean): Promise<Answer> {
  const found = await forecast(program, target);
  return json ? dump(jsonText(found)) : info(forecastText(found).trimEnd());
}

async function evict(context: OperationContext, change: Change, json: boolean): Promise<Answer> {
  const { program } = context;
  const receipt = await program.commit(change);
  if (!receipt.done || receipt.eviction === undefined) return answerOf(change, receipt);
  await untilOver(context, receipt.eviction);
  return receiptAnswer(program, receipt.eviction, json);
}

export const evictHelp: Operation = {
  words: ["evict", "help"],
  args: "",
  level: "user",
  summary: "show the options of `evict server` and `evict sessions`",
  run: () => info(USAGE),
};

const USAGE = [
  `Usage: ${EVICT_USAGE}`,
  `       ${EVICT_SESSIONS_USAGE}`,
  "  drain <time>      cut nobody for so long",
  "  idle <time>       then cut only sessions that have been quiet for so long, with nothing on its way",
  "  over <time>       spread the cuts evenly over so long",
  "  rate <n>          or cut so many a second",
  "  order <o>         who goes first at a pace: idle, oldest, random (the default)",
  "  deadline <time>   whoever is left so long after the order is cut",
  "  client fin|rst    how clients are told (fin)",
  "  delete            delete the server when it is empty",
  "  destroy-foreign   also end connections of other processes of this host to the server",
  "  dry-run           only say who would be cut",
  "  json              the receipt as JSON",
  "Without a time or a rate everything is cut at once. Times need their unit: 200ms, 30s, 5m.",
  "Filters of `evict sessions`, before the options; `idle` is one as the first word or behind `and`:",
  ...SELECTOR_USAGE,
].join("\n");

export const evictCancel: Operation = {
  words: ["evict", "cancel"],
  args: "<id>",
  level: "admin",
  summary: "stop an eviction; an evicted server stays in maintenance",
  async run({ program }, args) {
    const id = parseEvictionId(args[0]);
    if (id === undefined) return failure("Expects the number of an eviction (use 'show evictions').");
    const change: Change = { kind: "cancel-eviction", id };
    const receipt = await program.commit(change);
    if (!receipt.done || receipt.eviction === undefined) return answerOf(change, receipt);
    const { server } = receipt.eviction;
    if (server === undefined) return info(`Eviction ${id} is cancelled, ${receipt.survivors} sessions stay.`);
    const { backend, name } = server;
    return info(
      `Eviction ${id} is cancelled, ${receipt.survivors} sessions stay. ${backend.name}/${name} is still in maintenance (use 'enable server').`,
    );
  },
};

export const showEvictions: Operation = {
  words: ["show", "evictions"],
  args: "[<id>] [json]",
  level: "operator",
  summary: "list evictions, or show the receipt of one",
  run({ program }, args): Answer {
    const [first, ...rest] = args.at(-1) === "json" ? args.slice(0, -1) : args;
    const json = args.at(-1) === "json";
    if (rest.length > 0) return failure("Expects at most the number of an eviction, and 'json'.");
    if (first === undefined) {
      const receipts = program.evictions.all.map((eviction) => receiptOf(program.memory, eviction));
      return dump(json ? jsonText(receipts) : receipts.map((receipt) => `${receiptLine(receipt)}\n`).join(""));
    }
    const id = parseEvictionId(first);
    if (id === undefined) return failure("Expects the number of an eviction (use 'show evictions').");
    const eviction = program.evictions.byId(id);
    if (eviction === undefined) return failure(`No such eviction: ${id} (use 'show evictions').`);
    return receiptAnswer(program, eviction, json);
  },
};

const parseEvictionId = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;

const jsonText = (value: unknown): string => `${JSON.stringify(value)}\n`;

function receiptAnswer(program: Program, eviction: Eviction, json: boolean): Answer {
  const receipt = receiptOf(program.memory, eviction);
  if (json) return dump(jsonText(receipt));
  const text = receiptText(receipt).trimEnd();
  return receipt.verified || receipt.outcome === "running" ? info(text) : warning(text);
}

/** Resolves when it is over, or when nobody is left to answer to. */
function untilOver({ program, signal }: OperationContext, eviction: Eviction): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (eviction.outcome === "running" && !signal.aborted) return;
      stopListening();
      signal.removeEventListener("abort", look);
      resolve();
    };
    const stopListening = program.onProgress(look);
    signal.addEventListener("abort", look);
    look();
  });
}
