// The words of the `global` section. Control thread.

import { CONTROL_CONNECTIONS_DEFAULT, CONTROL_CONNECTIONS_MAX, SESSIONS_MAX, THREADS_MAX } from "../../base/limits.ts";
import { readStatsSocket } from "../bind-line.ts";
import type { GlobalDraft } from "../drafts.ts";
import { accountNumber, MAX_UID } from "./bind.ts";
import { CHECK_GLOBAL_KEYWORDS } from "./checks.ts";
import { INERT_GLOBAL_KEYWORDS } from "./inert.ts";
import { indexKeywords, type Keyword } from "./keyword.ts";
import { readLogTarget } from "./log.ts";
import { LOG_GLOBAL_KEYWORDS } from "./log-lines.ts";
import { RESTART_GLOBAL_KEYWORDS } from "./restart.ts";

export const GLOBAL_KEYWORDS: readonly Keyword<GlobalDraft>[] = [
  {
    name: "maxconn",
    args: "<number>",
    doc: "Sessions of the whole process at most; further clients wait in the kernel. The first one counts if it is given twice.",
    byDefault: "what the file limit allows",
    status: "supported",
    read(words, global) {
      const value = words.integer("<number>", 0, SESSIONS_MAX);
      if (value === undefined || !words.end()) return;
      if (global.maxconn !== undefined) {
        words.warning("given-twice", "'maxconn' is already given: this line is ignored");
        return;
      }
      if (value > 0) global.maxconn = value;
    },
  },
  {
    name: "nbthread",
    args: "<1..64>",
    doc: "Relay threads. A reload may change it.",
    byDefault: "one for each core",
    status: "supported",
    read(words, global) {
      const value = words.integer("<number>", 1, THREADS_MAX);
      if (value !== undefined && words.end()) global.nbthread = value;
    },
  },
  {
    name: "stats socket",
    args: "<path|address:port> [mode <octal>] [level <level>] [user|group <name>] [uid|gid <number>]",
    doc: "Where the Runtime API listens; may be given several times.",
    status: "supported",
    read(words, global) {
      global.statsSockets.push(...readStatsSocket(words, global.context));
    },
  },
  {
    name: "stats timeout",
    args: "<time>",
    doc: "A connection to the Runtime API that is silent for so long is closed.",
    byDefault: "10s",
    status: "supported",
    read(words, global) {
      const timeMs = words.time(1);
      if (timeMs !== undefined && words.end()) global.statsTimeoutMs = timeMs;
    },
  },
  {
    name: "stats maxconn",
    args: "<number>",
    doc: "Connections to the stats sockets served at once, over all of them; further ones wait.",
    byDefault: `${CONTROL_CONNECTIONS_DEFAULT}`,
    status: "supported",
    read(words, global) {
      const value = words.integer("<number>", 1, CONTROL_CONNECTIONS_MAX);
      if (value !== undefined && words.end()) global.statsMaxconn = value;
    },
  },
  {
    name: "hard-stop-after",
    args: "<time>",
    doc: "A soft stop ends all sessions after so long.",
    byDefault: "no limit",
    status: "supported",
    read(words, global) {
      const timeMs = words.time();
      if (timeMs !== undefined && words.end()) global.hardStopAfterMs = timeMs === 0 ? undefined : timeMs;
    },
  },
  {
    name: "log",
    args: "<target> [len <80..65535>] [format <format>] <facility> [<max level> [<min level>]]",
    doc: "A target of the traffic log for all sections that say `log global`: a UDP address, a unix socket, stdout, stderr or `fd@<n>`.",
    status: "supported",
    read(words, global) {
      const first = words.peek();
      if (first?.text === "global" && words.peek(1) === undefined) {
        words.error("unexpected-word", "'log global' is for frontends: the global section needs a target", first);
        return;
      }
      const target = readLogTarget(words, global.context);
      if (target !== undefined) global.logs.push(target);
    },
  },
  {
    name: "pidfile",
    args: "<file>",
    doc: "Where the process id is written, as with the flag `-p`, which wins.",
    status: "supported",
    read(words, global) {
      const file = words.word("<file>");
      if (file !== undefined && words.end()) global.pidFile = file.text;
    },
  },
  {
    name: "user",
    args: "<name>",
    doc: "Whom the process becomes once its addresses are bound. Needs root.",
    byDefault: "who started it",
    status: "supported",
    read(words, global) {
      const uid = accountNumber(words, "user", global.context.accounts.uidOf);
      if (uid !== undefined && words.end()) global.uid = uid;
    },
  },
  {
    name: "group",
    args: "<name>",
    doc: "The process's group once its addresses are bound; it leaves all others. Needs root.",
    byDefault: "that of who started it",
    status: "supported",
    read(words, global) {
      const gid = accountNumber(words, "group", global.context.accounts.gidOf);
      if (gid !== undefined && words.end()) global.gid = gid;
    },
  },
  {
    name: "uid",
    args: "<number>",
    doc: "As `user`, by number.",
    status: "supported",
    read(words, global) {
      const uid = words.integer("<uid>", 0, MAX_UID);
      if (uid !== undefined && words.end()) global.uid = uid;
    },
  },
  {
    name: "gid",
    args: "<number>",
    doc: "As `group`, by number.",
    status: "supported",
    read(words, global) {
      const gid = words.integer("<gid>", 0, MAX_UID);
      if (gid !== undefined && words.end()) global.gid = gid;
    },
  },
  {
    name: "chroot",
    args: "<directory>",
    doc: "The process's root directory once its addresses are bound. Needs root. Unix sockets of servers and logs, and names of servers added later, are then looked for in it.",
    status: "supported",
    read(words, global) {
      const directory = words.word("<directory>");
      if (directory !== undefined && words.end()) global.chroot = directory.text;
    },
  },
];

export const GLOBAL_TABLE: ReadonlyMap<string, Keyword<GlobalDraft>> = indexKeywords(
  GLOBAL_KEYWORDS,
  LOG_GLOBAL_KEYWORDS,
  CHECK_GLOBAL_KEYWORDS,
  RESTART_GLOBAL_KEYWORDS,
  INERT_GLOBAL_KEYWORDS,
);
