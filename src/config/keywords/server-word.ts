// How words of a `server` line are declared that write into its health words. Control thread.

import type { ServerDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword } from "./keyword.ts";

type Words = ServerDraft["words"];
export type ReadWord = (words: WordReader, health: Words, server: ServerDraft) => void;

/** A supported word of a `server` line. `read` reports what is wrong and then writes nothing. */
export function serverWord(
  name: string,
  args: string,
  doc: string,
  read: ReadWord,
  byDefault?: string,
): Keyword<ServerDraft> {
  return {
    name,
    args,
    doc,
    ...(byDefault === undefined ? {} : { byDefault }),
    status: "supported",
    read: (words, server) => read(words, server.words, server),
  };
}

/** A word without arguments. */
export function flag(name: string, doc: string, set: (health: Words) => void): Keyword<ServerDraft> {
  return serverWord(name, "", doc, (_, health) => set(health));
}
