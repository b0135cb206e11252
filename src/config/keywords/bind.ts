// The words after the address of a `bind` line and of `stats socket`. Control thread.

import type { BindDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import { indexKeywords, type Keyword } from "./keyword.ts";

const MAX_COUNT = 2_147_483_647;
/** Largest number of a user or group. */
export const MAX_UID = 4_294_967_294;

/** Owner and rights: the same on a unix `bind` and on a `stats socket`. */
const OWNER_KEYWORDS: readonly Keyword<BindDraft>[] = [
  {
    name: "mode",
    args: "<octal>",
    doc: "Rights of a unix socket, such as 660.",
    byDefault: "the umask's",
    status: "supported",
    read(words, bind) {
      const token = words.word("an octal mode such as 660");
      if (token === undefined) return;
      if (!/^[0-7]{1,4}$/.test(token.text)) {
        words.error("out-of-range", `'mode' expects an octal number from 0 to 7777, not '${token.text}'`, token);
        return;
      }
      bind.mode = Number.parseInt(token.text, 8);
    },
  },
  {
    name: "uid",
    args: "<number>",
    doc: "Owner of a unix socket, by number.",
    status: "supported",
    read(words, bind) {
      bind.uid = words.integer("<uid>", 0, MAX_UID) ?? bind.uid;
    },
  },
  {
    name: "gid",
    args: "<number>",
    doc: "Group of a unix socket, by number.",
    status: "supported",
    read(words, bind) {
      bind.gid = words.integer("<gid>", 0, MAX_UID) ?? bind.gid;
    },
  },
  {
    name: "user",
    args: "<name>",
    doc: "Owner of a unix socket, by name.",
    status: "supported",
    read(words, bind) {
      bind.uid = accountNumber(words, "user", bind.context.accounts.uidOf) ?? bind.uid;
    },
  },
  {
    name: "group",
    args: "<name>",
    doc: "Group of a unix socket, by name.",
    status: "supported",
    read(words, bind) {
      bind.gid = accountNumber(words, "group", bind.context.accounts.gidOf) ?? bind.gid;
    },
  },
];

/** The number of the user or group that the next word names. */
export function accountNumber(
  words: WordReader,
  what: "user" | "group",
  numberOf: (name: string) => number | undefined,
): number | undefined {
  const token = words.word(`<${what}>`);
  if (token === undefined) return undefined;
  const number = numberOf(token.text);
  if (number === undefined) words.error("unknown-account", `this system has no ${what} '${token.text}'`, token);
  return number;
}

export const BIND_KEYWORDS: readonly Keyword<BindDraft>[] = [
  {
    name: "name",
    args: "<name>",
    doc: "Name of the listening socket in statistics and logs.",
    status: "supported",
    read(words, bind) {
      bind.name = words.word("<name>")?.text ?? bind.name;
    },
  },
  {
    name: "maxconn",
    args: "<number>",
    doc: "Sessions that this address may have at once; 0 leaves it to the frontend.",
    byDefault: "0",
    status: "supported",
    read(words, bind) {
      bind.maxconn = words.integer("<number>", 0, MAX_COUNT) ?? bind.maxconn;
    },
  },
  {
    name: "backlog",
    args: "<number>",
    doc: "Connections that may wait in the kernel; 0 takes the frontend's.",
    byDefault: "0",
    status: "supported",
    read(words, bind) {
      bind.backlog = words.integer("<number>", 0, MAX_COUNT) ?? bind.backlog;
    },
  },
  {
    name: "v4v6",
    args: "",
    doc: "An IPv6 wildcard address takes IPv4 connections too. This is how it is without the word as well.",
    status: "supported",
    read() {},
  },
  {
    name: "v6only",
    args: "",
    doc: "An IPv6 wildcard address takes IPv6 connections only; wins over `v4v6`.",
    status: "supported",
    read(_words, bind) {
      bind.v6only = true;
    },
  },
  {
    name: "id",
    args: "<number>",
    doc: "Number of the listening socket; shown once statistics have rows for listeners.",
    status: "kept",
    read(words, bind) {
      const token = words.peek();
      const id = words.integer("<id>", 1, MAX_COUNT);
      if (id === undefined || token === undefined) return;
      bind.context.keep("bind ... id", words.spanOf(token));
      bind.id = id;
      bind.idSpan = words.spanOf(token);
    },
  },
  ...OWNER_KEYWORDS,
];

export const STATS_SOCKET_KEYWORDS: readonly Keyword<BindDraft>[] = [
  {
    name: "level",
    args: "<user|operator|admin>",
    doc: "What commands the socket accepts.",
    byDefault: "operator",
    status: "supported",
    read(words, bind) {
      bind.level = words.choice(["user", "operator", "admin"] as const) ?? bind.level;
    },
  },
  {
    name: "expose-fd",
    args: "listeners",
    doc:
      "Who connects may fetch the listening sockets (`_getsocks`), as HAProxy and Headgate do with `-x`: a new process takes over without a " +
      "client being refused. See the guide to restarting.",
    status: "supported",
    read(words, bind) {
      if (words.choice(["listeners"] as const) !== undefined) bind.exposesListeners = true;
    },
  },
  ...OWNER_KEYWORDS,
];

export const BIND_TABLE: ReadonlyMap<string, Keyword<BindDraft>> = indexKeywords(BIND_KEYWORDS);
export const STATS_SOCKET_TABLE: ReadonlyMap<string, Keyword<BindDraft>> = indexKeywords(STATS_SOCKET_KEYWORDS);
