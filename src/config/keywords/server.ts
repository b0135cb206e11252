// The words of a `server` and `default-server` line after the address. Control thread.
// One table, used by the configuration and by the Runtime API's `add server`.

import type { ServerDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import { CHECK_SERVER_KEYWORDS } from "./checks.ts";
import { indexKeywords, type Keyword } from "./keyword.ts";
import { RESOLUTION_SERVER_KEYWORDS } from "./resolution.ts";

/** Largest value of HAProxy's counters of connections. */
const MAX_COUNT = 2_147_483_647;

const flag =
  (set: (server: ServerDraft) => void) =>
  (_words: WordReader, server: ServerDraft): void =>
    set(server);

export const SERVER_KEYWORDS: readonly Keyword<ServerDraft>[] = [
  {
    name: "weight",
    args: "<0..256>",
    doc: "Share of new sessions relative to the other servers; 0 gives it none.",
    byDefault: "1",
    status: "supported",
    read(words, server) {
      server.weight = words.integer("<weight>", 0, 256) ?? server.weight;
    },
  },
  {
    name: "maxconn",
    args: "<number>",
    doc: "Sessions the server may have at once; more wait in its queue. 0 is no limit.",
    byDefault: "0",
    status: "supported",
    read(words, server) {
      server.maxconn = words.integer("<number>", 0, MAX_COUNT) ?? server.maxconn;
    },
  },
  {
    name: "backup",
    args: "",
    doc: "Used only while no server without this word is usable.",
    status: "supported",
    read: flag((server) => {
      server.backup = true;
    }),
  },
  {
    name: "no-backup",
    args: "",
    doc: "Takes back a `backup` of `default-server`.",
    status: "supported",
    read: flag((server) => {
      server.backup = false;
    }),
  },
  {
    name: "disabled",
    args: "",
    doc: "Starts in maintenance; `enable server` brings it in.",
    status: "supported",
    read: flag((server) => {
      server.disabled = true;
    }),
  },
  {
    name: "enabled",
    args: "",
    doc: "Takes back a `disabled` of `default-server`. Not for `add server`.",
    status: "supported",
    read: flag((server) => {
      server.disabled = false;
    }),
  },
  {
    name: "id",
    args: "<1..4294967295>",
    doc: "The server's number (`sid`) in statistics. Not for `default-server`.",
    byDefault: "its place in the backend",
    status: "supported",
    read(words, server) {
      const token = words.peek();
      const id = words.integer("<id>", 1, 4_294_967_295);
      if (id === undefined || token === undefined) return;
      server.id = id;
      server.idSpan = words.spanOf(token);
    },
  },
];

export const SERVER_TABLE: ReadonlyMap<string, Keyword<ServerDraft>> = indexKeywords(
  SERVER_KEYWORDS,
  CHECK_SERVER_KEYWORDS,
  RESOLUTION_SERVER_KEYWORDS,
);
