// `evict server`, `evict cancel`, `show evictions`: a server taken out with a receipt. The answer comes when the eviction is over; it
// goes on if nobody is left to hear of it.

import type { Change } from "../control/change.ts";
import { carrierOf } from "../control/kernel-answer.ts";
import type { Program } from "../control/program.ts";
import type { Eviction } from "../control/reconcile/eviction.ts";
import type { ServerEntry } from "../control/registry.ts";
import {
  generationOfSessionId,
  rowOfSessionId,
  S_BYTES_DOWN_F64,
  S_GENERATION,
  SESSION_WORDS,
} from "../memory/session-row.ts";
import { answerOf, dump, failure, info, warning } from "./answers.ts";
import { forecast, forecastText } from "./evict-dry-run.ts";
import { EVICT_USAGE, parseEvictWords } from "./evict-words.ts";
import { receiptLine, receiptOf, receiptText } from "./eviction-receipt.ts";
import type { Answer, Operation, OperationContext } from "./operation.ts";
import { shownId } from "./session-lines.ts";
import { findTarget } from "./targets.ts";

/** How long the note to a client whose own session ends may take to get through. */
const NOTE_MOST_MS = 500;
const NOTE_LOOK_MS = 5;

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
    if (dryRun) {
      const found = await forecast(program, target.found);
      return json ? dump(jsonText(found)) : info(forecastText(found).trimEnd());
    }
    await noteCarrier(context, target.found, json);
    const change: Change = { kind: "evict-server", server: target.found, request };
    const receipt = await program.commit(change);
    if (!receipt.done || receipt.eviction === undefined) return answerOf(change, receipt);
    await untilOver(context, receipt.eviction);
    return receiptAnswer(program, receipt.eviction, json);
  },
};

export const evictHelp: Operation = {
  words: ["evict", "help"],
  args: "",
  level: "user",
  summary: "show the options of `evict server`",
  run: () => info(USAGE),
};

const USAGE = [
  `Usage: ${EVICT_USAGE}`,
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
].join("\n");

export const evictCancel: Operation = {
  words: ["evict", "cancel"],
  args: "<id>",
  level: "admin",
  summary: "stop an eviction; the server stays in maintenance",
  async run({ program }, args) {
    const id = parseEvictionId(args[0]);
    if (id === undefined) return failure("Expects the number of an eviction (use 'show evictions').");
    const change: Change = { kind: "cancel-eviction", id };
    const receipt = await program.commit(change);
    if (!receipt.done || receipt.eviction === undefined) return answerOf(change, receipt);
    const { backend, name } = receipt.eviction.server;
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

/** If the command came through a session of the server itself, its sender is told so while that session still is there. */
async function noteCarrier(
  { program, peer, tell }: OperationContext,
  server: ServerEntry,
  json: boolean,
): Promise<void> {
  if (peer === undefined || tell === undefined) return;
  const carrier = await carrierOf(program.memory, server, peer.host, peer.port);
  if (carrier === undefined) return;
  const text =
    `This command came through session ${shownId(carrier)} of ${server.backend.name}/${server.name}, which ends with the others: ` +
    "if no receipt follows, another connection gets it by 'show evictions'.";
  const note = json ? jsonText({ note: text, carrier: shownId(carrier) }) : `${text}\n`;
  const before = bytesDown(program, carrier);
  await tell(note);
  const lastMs = program.nowMs() + NOTE_MOST_MS;
  while (program.nowMs() < lastMs && bytesDown(program, carrier) < before + note.length) {
    await new Promise((resolve) => setTimeout(resolve, NOTE_LOOK_MS));
  }
}

/** Bytes that the session's client took; infinite once the session is gone. */
function bytesDown({ memory }: Program, id: number): number {
  const row = rowOfSessionId(id);
  if (memory.sessions[row * SESSION_WORDS + S_GENERATION] !== generationOfSessionId(id))
    return Number.POSITIVE_INFINITY;
  return memory.sessionsF64[(row * SESSION_WORDS) / 2 + S_BYTES_DOWN_F64];
}
