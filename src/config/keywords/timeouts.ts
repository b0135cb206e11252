// The `timeout` words of proxy sections. Control thread. Zero means none, as in HAProxy.

import type { ProxyDraft } from "../drafts.ts";
import type { Timeouts } from "../model.ts";
import { warnOfBareTime } from "./bare-time.ts";
import type { ProxyKeyword } from "./keyword.ts";

function timeout(
  name: string,
  field: keyof Timeouts,
  side: "frontend" | "backend",
  doc: string,
  byDefault: string,
): ProxyKeyword<ProxyDraft> {
  return {
    name: `timeout ${name}`,
    args: "<time>",
    doc,
    byDefault,
    status: "supported",
    side,
    inDefaults: true,
    inStats: true,
    read(words, proxy) {
      const token = words.peek();
      const timeMs = words.time();
      if (timeMs === undefined || !words.end()) return;
      if (token !== undefined) warnOfBareTime(words, "small-timeout", `timeout ${name}`, token, timeMs);
      if (proxy.timeouts[field] !== proxy.inheritedTimeouts[field]) {
        words.warning("given-twice", `'timeout ${name}' is already given in this section: this line replaces it`);
      }
      proxy.timeouts[field] = timeMs === 0 ? undefined : timeMs;
    },
  };
}

export const TIMEOUT_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  timeout("client", "clientMs", "frontend", "Longest silence of a client.", "none, with a warning"),
  timeout("server", "serverMs", "backend", "Longest silence of a server.", "none, with a warning"),
  timeout("connect", "connectMs", "backend", "Longest time for one connection attempt.", "none, with a warning"),
  timeout("queue", "queueMs", "backend", "Longest time in a queue.", "`timeout connect`"),
  timeout(
    "check",
    "checkMs",
    "backend",
    "Longest time for a check's answer once it is connected; without it, `inter` bounds the check as a whole.",
    "none",
  ),
  timeout(
    "tunnel",
    "tunnelMs",
    "backend",
    "Longest silence of either side of a connected session, in place of `timeout client` and `timeout server`.",
    "theirs",
  ),
  timeout(
    "client-fin",
    "clientFinMs",
    "frontend",
    "Longest silence of a client on a half-closed session.",
    "`timeout client`",
  ),
  timeout(
    "server-fin",
    "serverFinMs",
    "backend",
    "Longest silence of a server on a half-closed session.",
    "`timeout server`",
  ),
];
