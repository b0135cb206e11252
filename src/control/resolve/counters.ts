// What `show resolvers` counts for each nameserver, under HAProxy's names and in its order.

export const NAMESERVER_COUNTERS = [
  "sent",
  "snd_error",
  "valid",
  "update",
  "cname",
  "cname_error",
  "any_err",
  "nx",
  "timeout",
  "refused",
  "other",
  "invalid",
  "too_big",
  "truncated",
  "outdated",
] as const;

export type NameserverCounters = Record<(typeof NAMESERVER_COUNTERS)[number], number>;

/** All of them, at 0. */
export const newCounters = (): NameserverCounters =>
  Object.fromEntries(NAMESERVER_COUNTERS.map((name) => [name, 0])) as NameserverCounters;
