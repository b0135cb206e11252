// What Headgate keeps of mode http: the statistics page and the metrics, with the words that only shape their HTTP side.
// Control thread. A section in mode http that does anything else is refused.

const HTTP_OPTIONS: ReadonlySet<string> = new Set([
  "contstats",
  "dontlog-normal",
  "forwardfor",
  "http-ignore-probes",
  "http-keep-alive",
  "http-no-delay",
  "http-server-close",
  "httpclose",
  "httplog",
  "log-separate-errors",
  "socket-stats",
]);

const HTTP_TIMEOUTS: ReadonlySet<string> = new Set(["http-request", "http-keep-alive"]);

const HTTP_WORDS: ReadonlySet<string> = new Set(["errorfile", "log-format", "log-format-sd", "monitor-uri"]);

/** First words (after a `no`) of the lines that `httpWord` has a name for; most lines begin with others. */
export const MAY_BE_HTTP: ReadonlySet<string> = new Set(["option", "timeout", "stats", "http-request", ...HTTP_WORDS]);

/** Does this line give a section the purpose that is kept: the statistics page or the metrics? */
export function servesStats(words: readonly string[]): boolean {
  if (words[0] === "stats") return true;
  return words[0] === "http-request" && words[1] === "use-service" && words[2] === "prometheus-exporter";
}

/** The name of a line that is kept in mode http though the tables of mode tcp do not have it; undefined for any other. */
export function httpWord(words: readonly string[]): string | undefined {
  const [first = "", second = ""] = words[0] === "no" ? words.slice(1) : words;
  if (first === "option") return HTTP_OPTIONS.has(second) ? `option ${second}` : undefined;
  if (first === "timeout") return HTTP_TIMEOUTS.has(second) ? `timeout ${second}` : undefined;
  if (servesStats(words)) return first;
  return HTTP_WORDS.has(first) ? first : undefined;
}
