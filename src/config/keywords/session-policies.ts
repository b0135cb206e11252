// Words that say how long sessions may live, and what becomes of them when their server is taken out of service by an operator, or when
// another one comes back. On a server or for all servers of a section alike. Control thread.

import type { ProxyDraft, ServerDraft } from "../drafts.ts";
import type { SessionPolicy } from "../health-model.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword, ProxyKeyword } from "./keyword.ts";
import { serverWord } from "./server-word.ts";

/** A part of the policy, as one word writes it; undefined after an error. */
type Part = Partial<SessionPolicy> | undefined;

interface PolicyWord {
  readonly name: string;
  readonly args: string;
  readonly doc: string;
  readonly byDefault: string;
  readonly read: (words: WordReader) => Part;
}

const RATE_MAX = 1_000_000;

function readMaxAge(words: WordReader): Part {
  const ms = words.time();
  if (ms === undefined) return undefined;
  if (!words.takeIf("jitter")) return { maxAge: { ms, jitterPercent: 0 } };
  const jitterPercent = words.integer("<percent>", 0, 100);
  return jitterPercent === undefined ? undefined : { maxAge: { ms, jitterPercent } };
}

function readMaxIdle(words: WordReader): Part {
  const maxIdleMs = words.time();
  return maxIdleMs === undefined ? undefined : { maxIdleMs };
}

function readOnMaint(words: WordReader): Part {
  const what = words.choice(["keep", "shutdown-sessions", "drain"]);
  if (what === undefined) return undefined;
  if (what === "keep") return { onMaint: "keep" };
  const afterMs = what === "drain" ? words.time() : 0;
  return afterMs === undefined ? undefined : { onMaint: { afterMs } };
}

function readOnDrain(words: WordReader): Part {
  const what = words.choice(["keep", "idle", "over"]);
  if (what === undefined) return undefined;
  if (what === "keep") return { onDrain: "keep" };
  const ms = words.time(1);
  if (ms === undefined) return undefined;
  return { onDrain: what === "idle" ? { idleMs: ms } : { overMs: ms } };
}

const WORDS: readonly PolicyWord[] = [
  {
    name: "max-session-age",
    args: "<time> [jitter <percent>]",
    doc: "Sessions of the server end when they are this old, counted from their acceptance. `jitter`: each up to so many percent earlier, so that they do not all end together.",
    byDefault: "0: no limit",
    read: readMaxAge,
  },
  {
    name: "max-session-idle",
    args: "<time>",
    doc: "Sessions of the server end when no byte has moved for so long in either direction, whatever the timeouts say.",
    byDefault: "0: no limit",
    read: readMaxIdle,
  },
  {
    name: "on-maint",
    args: "<keep|shutdown-sessions|drain <time>>",
    doc:
      "What becomes of the sessions of a server that enters maintenance, in place of `on-marked-down`: they stay, end at once, or end if they are " +
      "still there after that time.",
    byDefault: "as `on-marked-down`",
    read: readOnMaint,
  },
  {
    name: "on-drain",
    args: "<keep|idle <time>|over <time>>",
    doc:
      "What becomes of the sessions of a server that enters drain: they stay, each ends as soon as it has been quiet for so long, or they end one by one at " +
      "an even pace over that time.",
    byDefault: "keep",
    read: readOnDrain,
  },
];

export const SESSION_POLICY_SERVER_WORDS: readonly Keyword<ServerDraft>[] = WORDS.map(
  ({ name, args, doc, byDefault, read }) =>
    serverWord(
      name,
      args,
      doc,
      (words, said) => {
        const part = read(words);
        if (part !== undefined) said.sessions = { ...said.sessions, ...part };
      },
      `the backend's, else ${byDefault}`,
    ),
);

export const SESSION_POLICY_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  ...WORDS.map(
    ({ name, args, byDefault, read }): ProxyKeyword<ProxyDraft> => ({
      name,
      args,
      doc: `\`${name}\` of all servers that do not have one of their own.`,
      byDefault,
      status: "supported",
      side: "backend",
      inDefaults: true,
      read(words, proxy) {
        const part = read(words);
        if (part !== undefined && words.end()) proxy.sessionPolicy = { ...proxy.sessionPolicy, ...part };
      },
    }),
  ),
  {
    name: "rebalance",
    args: "<rate>",
    doc:
      "When a server comes up, is added, or leaves maintenance or drain, sessions of the fullest servers are let go, so many a second, until none has over 10 % " +
      "more than its share by weight. Not with `balance source`, `balance first` or `option fence`.",
    byDefault: "0: sessions stay where they are",
    status: "supported",
    side: "backend",
    inDefaults: true,
    read(words, proxy) {
      const rate = words.integer("<sessions a second>", 0, RATE_MAX);
      if (rate !== undefined && words.end()) proxy.rebalancePerSecond = rate;
    },
  },
];
