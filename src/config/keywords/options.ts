// The `option` words of proxy sections that are in effect. Control thread.

import type { ProxyDraft } from "../drafts.ts";
import type { ProxyKeyword, ProxySide } from "./keyword.ts";

type Apply = (proxy: ProxyDraft, on: boolean) => void;

/** An option without arguments; `no option` works where HAProxy has it. */
export function switchOption(
  name: string,
  side: ProxySide,
  doc: string,
  apply: Apply,
  extra: { readonly negatable: boolean; readonly inStats?: boolean },
): ProxyKeyword<ProxyDraft> {
  return {
    name: `option ${name}`,
    args: "",
    doc,
    status: "supported",
    side,
    inDefaults: true,
    ...(extra.inStats ? { inStats: true } : {}),
    ...(extra.negatable ? { negate: (proxy: ProxyDraft) => apply(proxy, false) } : {}),
    read(words, proxy) {
      if (words.end()) apply(proxy, true);
    },
  };
}

export const OPTION_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "option redispatch",
    args: "[<interval>]",
    doc: "A retry may take another server: at the last retry, or at every n-th (-n counts from the last).",
    byDefault: "off; -1 without a number",
    status: "supported",
    side: "backend",
    inDefaults: true,
    negate(proxy) {
      proxy.redispatchInterval = undefined;
    },
    read(words, proxy) {
      const interval = words.atEnd ? -1 : words.integer("<interval>", -2_147_483_647, 2_147_483_647);
      if (interval === undefined || !words.end()) return;
      proxy.redispatchInterval = interval === 0 ? undefined : interval;
    },
  },
  switchOption(
    "dontlognull",
    "frontend",
    "Does not log sessions in which no byte came.",
    (proxy, on) => {
      proxy.dontlognull = on;
    },
    { negatable: true, inStats: true },
  ),
  switchOption(
    "dontlog-normal",
    "frontend",
    "Logs only sessions that did not end in good order, were tried more than once, or were given another server.",
    (proxy, on) => {
      proxy.dontlogNormal = on;
    },
    { negatable: true },
  ),
  switchOption(
    "log-separate-errors",
    "frontend",
    "Logs those sessions with level `err` in place of `info`.",
    (proxy, on) => {
      proxy.logSeparateErrors = on;
    },
    { negatable: true },
  ),
  switchOption(
    "tcpka",
    "both",
    "TCP keep-alive on both sides: `clitcpka` and `srvtcpka` in one.",
    (proxy, on) => {
      if (proxy.kind !== "backend") proxy.clientTcpKeepalive = on;
      if (proxy.kind !== "frontend") proxy.serverTcpKeepalive = on;
    },
    { negatable: false },
  ),
  switchOption(
    "clitcpka",
    "frontend",
    "TCP keep-alive towards clients.",
    (proxy, on) => {
      proxy.clientTcpKeepalive = on;
    },
    { negatable: true },
  ),
  switchOption(
    "srvtcpka",
    "backend",
    "TCP keep-alive towards servers.",
    (proxy, on) => {
      proxy.serverTcpKeepalive = on;
    },
    { negatable: true },
  ),
  switchOption(
    "splice-auto",
    "both",
    "Lets the kernel forward the bytes where that pays.",
    (proxy, on) => {
      proxy.splice.auto = on;
    },
    { negatable: true },
  ),
  switchOption(
    "splice-request",
    "both",
    "Lets the kernel forward bytes. Headgate decides for each direction by itself: the same as `splice-auto`.",
    (proxy, on) => {
      proxy.splice.request = on;
    },
    { negatable: true },
  ),
  switchOption(
    "splice-response",
    "both",
    "Lets the kernel forward bytes. Headgate decides for each direction by itself: the same as `splice-auto`.",
    (proxy, on) => {
      proxy.splice.response = on;
    },
    { negatable: true },
  ),
];
