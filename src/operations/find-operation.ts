// From words to an operation, and from words that name none to the nearest ones. Pure; the table is handed in.

import { nearestWord } from "../config/nearest.ts";
import type { Operation } from "./operation.ts";

/** The operation whose words all stand at the start of `words`; the longest one wins. */
export function findOperation(table: readonly Operation[], words: readonly string[]): Operation | undefined {
  let best: Operation | undefined;
  for (const operation of table) {
    if (operation.words.length <= (best?.words.length ?? 0)) continue;
    if (operation.words.every((word, i) => word === words[i])) best = operation;
  }
  return best;
}

const isPrefix = (operation: Operation, words: readonly string[], length: number): boolean =>
  words.slice(0, length).every((word, i) => word === operation.words[i]);

/** Operations that `words` may have meant: those that share the most leading words, narrowed by the next word where it is near. */
export function candidates(table: readonly Operation[], words: readonly string[]): readonly Operation[] {
  let length = 0;
  while (length < words.length && table.some((operation) => isPrefix(operation, words, length + 1))) length++;
  const sharing = table.filter((operation) => isPrefix(operation, words, length));
  const next = words[length];
  if (next === undefined) return length === 0 ? [] : sharing;
  const nextWords = new Set(sharing.map((operation) => operation.words[length] ?? "").filter((word) => word !== ""));
  const starting = [...nextWords].filter((word) => word.startsWith(next));
  const near = starting.length > 0 ? starting : [nearestWord(next, nextWords)].filter((word) => word !== undefined);
  if (near.length > 0) return sharing.filter((operation) => near.includes(operation.words[length] ?? ""));
  return length === 0 ? [] : sharing;
}

/** "  name args : summary", the colon in column 43 as in HAProxy. */
function usageLine(operation: Operation): string {
  const usage = [...operation.words, operation.args].filter((word) => word !== "").join(" ");
  return `  ${usage.padEnd(40)}: ${operation.summary}\n`;
}

/** Usage lines of `operations`, sorted, and after them those that are always shown. */
export function usageLines(operations: readonly Operation[], always: readonly Operation[]): string {
  const lines = operations.filter((operation) => !always.includes(operation)).map(usageLine);
  return [...lines.sort(), ...always.map(usageLine)].join("");
}

/** The text for words that name no operation. */
export function unknownCommandText(
  table: readonly Operation[],
  always: readonly Operation[],
  words: readonly string[],
): string {
  const meant = candidates(table, words);
  const start = `Unknown command: '${words[0] ?? ""}'`;
  return meant.length === 0
    ? `${start}. Please enter one of the following commands only:\n${usageLines(table, always)}`
    : `${start}, but maybe one of the following ones is a better match:\n${usageLines(meant, always)}`;
}
