// One case of the check differential: a protocol as HAProxy's configuration lines and as the model's value, and a scripted
// server that it is tried on. Also what the tables of cases are made of.

import type { CheckConfig, CheckProtocol, TcpCheckStep } from "../../src/config/health-model.ts";
import type { CheckUpstreamScript } from "./check-upstreams.ts";

export interface CheckCase {
  readonly name: string;
  /** Lines of the backend. */
  readonly backend: readonly string[];
  /** Words of the server after "check". */
  readonly words?: string;
  readonly check: Pick<CheckConfig, "protocol"> & Partial<CheckConfig>;
  readonly server: CheckUpstreamScript | "refused" | "black hole";
}

/** Where the model says that steps stand. */
export const place = { file: "test", line: 1, column: 1 };
/** Does nothing. */
export const HOLD: CheckUpstreamScript = {};
export const CLOSE: CheckUpstreamScript = { end: "close" };
export const RESET: CheckUpstreamScript = { end: "reset" };
/** Answers the first piece of data. */
export const once = (answer: string | Uint8Array, end?: "hold" | "close" | "reset"): CheckUpstreamScript => ({
  answers: [answer],
  ...(end ? { end } : {}),
});
/** Speaks first. */
export const greets = (
  greeting: string | Uint8Array,
  answers: (string | Uint8Array)[] = [],
  end?: "hold" | "close" | "reset",
): CheckUpstreamScript => ({
  greeting,
  answers,
  ...(end ? { end } : {}),
});
export const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));

export type Servers = Readonly<Record<string, CheckCase["server"]>>;

/** One protocol on several servers. */
export function cases(
  name: string,
  backend: readonly string[],
  protocol: CheckProtocol,
  servers: Servers,
  more: Partial<CheckConfig> = {},
  words = "",
): CheckCase[] {
  return Object.entries(servers).map(([what, server]) => ({
    name: `${name}: ${what}`,
    backend,
    words,
    check: { ...more, protocol },
    server,
  }));
}

export const expectDefaults = { kind: "expect", negated: false, place } as const;
export const text = (value: string) => ({
  kind: "string" as const,
  bytes: new Uint8Array(Buffer.from(value)),
  source: value,
});
export const send = (value: string, comment?: string): TcpCheckStep => ({
  kind: "send",
  bytes: new Uint8Array(Buffer.from(value)),
  place,
  ...(comment ? { comment } : {}),
});
export const tcpConnect: TcpCheckStep = { kind: "connect", sendProxy: false, linger: false, place };

export const SIMPLE: Servers = {
  refused: "refused",
  silent: HOLD,
  "closes at once": CLOSE,
  "resets after data": RESET,
};
export const GARBAGE: Servers = {
  "garbage, then open": once("\xff\0 what is this?\r\n\r\n"),
  "garbage, then closed": once("\xff\0 what is this?\r\n\r\n", "close"),
  "a flood of garbage": { answers: ["flood of garbage "], flood: true },
};

/** Times of all cases: an answer within these, or a timeout. Long, because all checks run at once, and this process answers them all. */
export const TIMES = { interMs: 4000, timeoutMs: 3000 } as const;
