// Words that say what a server's health means for sessions: how they end, what keeps them, how a server comes back, what its failing
// connections count for. Control thread.

import type { ProxyDraft, ServerDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword, ProxyKeyword } from "./keyword.ts";
import { switchOption } from "./options.ts";
import { serverWord } from "./server-word.ts";

/** `shutdown-sessions [after <time>] [over <time>]`, in any order; undefined after an error. */
function readMarkedDown(words: WordReader): { afterMs: number; overMs: number } | undefined {
  if (words.choice(["shutdown-sessions"]) === undefined) return undefined;
  const times: { after?: number; over?: number } = {};
  for (let word = words.peek(); word?.text === "after" || word?.text === "over"; word = words.peek()) {
    words.take();
    if (times[word.text] !== undefined) {
      words.error("given-twice", `'on-marked-down shutdown-sessions' has two times '${word.text}'`, word);
    }
    const timeMs = words.time();
    if (timeMs === undefined) return undefined;
    times[word.text] = timeMs;
  }
  return { afterMs: times.after ?? 0, overMs: times.over ?? 0 };
}

export const POLICY_SERVER_WORDS: readonly Keyword<ServerDraft>[] = [
  serverWord(
    "on-marked-down",
    "shutdown-sessions [after <time>] [over <time>]",
    "When the server goes down its sessions end, those that are still connecting too. `after`: only if it is still down then; `over`: " +
      "one by one at an even pace in random order.",
    (words, health) => {
      const markedDown = readMarkedDown(words);
      if (markedDown !== undefined) health.markedDownShutdown = markedDown;
    },
  ),
  serverWord(
    "on-marked-up",
    "shutdown-backup-sessions",
    "When the server comes up the sessions of the backup servers end.",
    (words, health) => {
      if (words.choice(["shutdown-backup-sessions"]) !== undefined) health.markedUpShutdownBackups = true;
    },
  ),
  serverWord(
    "cut-guard",
    "<0..100>",
    "Checks end no session of this server while more than so many percent of the backend's servers are down, or no other one is up. " +
      "0: they may always.",
    (words, health) => {
      const percent = words.integer("<percent>", 0, 100);
      if (percent !== undefined) health.cutGuardPercent = percent;
    },
    "the backend's",
  ),
  serverWord(
    "slowstart",
    "<time>",
    "A server that comes up gets its weight and its `maxconn` little by little over this time. Not at the start.",
    (words, health) => {
      const timeMs = words.time();
      if (timeMs !== undefined) health.slowStartMs = timeMs;
    },
    "0: all at once",
  ),
  serverWord(
    "observe",
    "<none|layer4>",
    "`layer4`: connections of sessions that fail in a row count against the server, as `on-error` says. Needs `check`.",
    (words, health) => {
      const token = words.peek();
      if (token?.text === "layer7") {
        words.take();
        words.error(
          "not-in-tcp",
          "'observe layer7' is only for mode http",
          token,
          "'observe layer4' watches connections",
        );
        return;
      }
      const what = words.choice(["none", "layer4"]);
      if (what !== undefined) health.observe = what === "layer4";
    },
    "none",
  ),
  serverWord(
    "error-limit",
    "<count>",
    "With `observe`: how many connections must fail in a row.",
    (words, health) => {
      const count = words.integer("<count>", 1, 2_147_483_647);
      if (count !== undefined) health.errorLimit = count;
    },
    "10",
  ),
  serverWord(
    "on-error",
    "<fastinter|fail-check|sudden-death|mark-down>",
    "What `error-limit` failures do besides bringing the next check forward to `fastinter`: nothing, count as a failed check, as one after which " +
      "one more takes the server down, or take it down.",
    (words, health) => {
      const what = words.choice(["fastinter", "fail-check", "sudden-death", "mark-down"]);
      if (what !== undefined) health.onError = what;
    },
    "fail-check",
  ),
];

export const POLICY_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "cut-guard",
    args: "<0..100>",
    doc: "`cut-guard` of all servers that do not have one of their own.",
    byDefault: "0",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      const percent = words.integer("<percent>", 0, 100);
      if (percent !== undefined && words.end()) proxy.cutGuardPercent = percent;
    },
  },
  switchOption(
    "fence",
    "backend",
    "Sessions on one server at a time: when another one takes over, new sessions wait until the last one of the server before is closed. For " +
      "databases with one leader; with `on-marked-down shutdown-sessions` the wait is short.",
    (proxy, on) => {
      proxy.fence = on;
    },
    { negatable: true },
  ),
  switchOption(
    "allbackups",
    "backend",
    "All usable backup servers take over when no other one is left, not only the first.",
    (proxy, on) => {
      proxy.allBackups = on;
    },
    { negatable: true },
  ),
];
