// `on-removed`: what becomes of the sessions of a server or a section that a reload removes. Control thread.

import type { ProxyDraft, ServerDraft } from "../drafts.ts";
import type { RemovalPolicy } from "../health-model.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword, ProxyKeyword } from "./keyword.ts";
import { serverWord } from "./server-word.ts";

const ARGS = "<keep|drain <time>|shutdown-sessions>";

/** `keep`, `drain <time>` or `shutdown-sessions`; undefined after an error. */
function readRemovalPolicy(words: WordReader): RemovalPolicy | undefined {
  const kind = words.choice(["keep", "drain", "shutdown-sessions"]);
  if (kind === undefined) return undefined;
  if (kind !== "drain") return { kind };
  const timeMs = words.time(1);
  return timeMs === undefined ? undefined : { kind, timeMs };
}

export const REMOVAL_SERVER_WORDS: readonly Keyword<ServerDraft>[] = [
  serverWord(
    "on-removed",
    ARGS,
    "When a reload removes the server, or gives it another address: its sessions stay until they end by themselves (`keep`), are ended after " +
      "this time (`drain`), or at once.",
    (words, health) => {
      const policy = readRemovalPolicy(words);
      if (policy !== undefined) health.onRemoved = policy;
    },
    "the backend's",
  ),
];

export const REMOVAL_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "on-removed",
    args: ARGS,
    doc:
      "When a reload removes the section: what becomes of the sessions that came in by it. In a backend `on-removed` of all servers that do " +
      "not have one of their own.",
    byDefault: "keep",
    status: "supported",
    side: "both",
    inDefaults: true,
    read(words, proxy) {
      const policy = readRemovalPolicy(words);
      if (policy !== undefined && words.end()) proxy.onRemoved = policy;
    },
  },
];
