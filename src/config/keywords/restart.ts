// Words about the end of the process and what outlives it: files of server states, read at start and written while it runs. Control thread.

import type { GlobalDraft, ProxyDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword, ProxyKeyword } from "./keyword.ts";

/** A word with one path, the first of which counts. */
function readPath(words: WordReader, what: string, isGiven: boolean): string | undefined {
  const path = words.word(what);
  if (path === undefined || !words.end()) return undefined;
  if (!isGiven) return path.text;
  words.warning("given-twice", `'${words.keyword}' is already given: this line is ignored`);
  return undefined;
}

export const RESTART_GLOBAL_KEYWORDS: readonly Keyword<GlobalDraft>[] = [
  {
    name: "state-file",
    args: "<file>",
    doc:
      "What operators changed at run time (maintenance, drain, weights, limits, addresses, names, checks, servers added and deleted, frontends, evictions under way) is written here " +
      "at each change and holds again after a restart or a crash. Not in HAProxy. See the guide to restarting.",
    byDefault: "it is lost when the process ends",
    status: "supported",
    read(words, global) {
      global.stateFile = readPath(words, "<file>", global.stateFile !== undefined) ?? global.stateFile;
    },
  },
  {
    name: "grace",
    args: "<time>",
    doc: "After SIGUSR1 clients are served as before for so long (`show info` says that it is stopping), then the soft stop begins.",
    byDefault: "it begins at once",
    status: "supported",
    read(words, global) {
      const timeMs = words.time();
      if (timeMs !== undefined && words.end()) global.graceMs = timeMs === 0 ? undefined : timeMs;
    },
  },
  {
    name: "server-state-file",
    args: "<file>",
    doc: "A file with the output of `show servers state`, read at start by the backends that say `load-server-state-from-file global`.",
    status: "supported",
    read(words, global) {
      global.serverStateFile =
        readPath(words, "<file>", global.serverStateFile !== undefined) ?? global.serverStateFile;
    },
  },
  {
    name: "server-state-base",
    args: "<directory>",
    doc: "Where `server-state-file` and `server-state-file-name` are looked for unless they begin with a slash.",
    status: "supported",
    read(words, global) {
      global.serverStateBase =
        readPath(words, "<directory>", global.serverStateBase !== undefined) ?? global.serverStateBase;
    },
  },
];

export const RESTART_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "load-server-state-from-file",
    args: "<global|local|none>",
    doc:
      "Servers start in the states that a file has for them: that of `server-state-file`, the backend's own (`server-state-file-name`), or none. " +
      "Which of its values apply, and when, is HAProxy's.",
    byDefault: "none",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      const source = words.choice(["global", "local", "none"]);
      if (source !== undefined && words.end()) proxy.serverStateSource = source;
    },
  },
  {
    name: "server-state-file-name",
    args: "[use-backend-name | <file>]",
    doc: "The file of `load-server-state-from-file local`.",
    byDefault: "the backend's name",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      const name = words.take();
      if (!words.end()) return;
      proxy.serverStateFileName = name === undefined || name.text === "use-backend-name" ? undefined : name.text;
    },
  },
];
