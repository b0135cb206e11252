// `log <target> [len <n>] [format <f>] <facility> [<max level> [<min level>]]`, the same in global and in proxies.
// Control thread. Rings, log backends, sampling and profiles are refused.

import { parseAddress } from "../address.ts";
import type { LoadContext, LogTargetDraft } from "../drafts.ts";
import type { LogTarget } from "../model.ts";
import { didYouMean } from "../nearest.ts";
import type { Token } from "../tokenize.ts";
import type { WordReader } from "../word-reader.ts";

/** Syslog's names in the order of their numbers; HAProxy takes the aliases too. */
const FACILITIES = (
  "kern user mail daemon auth syslog lpr news uucp cron auth2 ftp ntp audit alert cron2 " +
  "local0 local1 local2 local3 local4 local5 local6 local7"
).split(" ");
const LEVELS = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
const FORMATS = ["local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw"] as const;

const SYSLOG_PORT = 514;
const DEFAULT_LENGTH = 1_024;

/** Reads the words after `log`; `log global` is the caller's. */
export function readLogTarget(words: WordReader, context: LoadContext): LogTargetDraft | undefined {
  const place = words.place();
  const written = words.word("<target> <facility>");
  if (written === undefined) return undefined;
  const target = readTarget(words, written, context);
  if (target === undefined) return undefined;
  let maxLength = DEFAULT_LENGTH;
  let format: LogTarget["format"] | undefined;
  if (words.takeIf("len")) {
    const length = words.integer("<length>", 80, 65_535);
    if (length === undefined) return undefined;
    maxLength = length;
  }
  if (words.takeIf("format")) {
    const named = words.choice(FORMATS);
    if (named === undefined) return undefined;
    format = named;
  }
  const option = words.peek();
  if (option?.text === "sample" || option?.text === "profile") {
    words.error("unsupported", `'log ... ${option.text}' is known to HAProxy but not supported by Headgate`, option);
    return undefined;
  }
  const facility = nameIndex(words, "facility", FACILITIES);
  if (facility === undefined) return undefined;
  const maxLevel = words.atEnd ? 7 : nameIndex(words, "level", LEVELS);
  if (maxLevel === undefined) return undefined;
  const minLevel = words.atEnd ? 0 : nameIndex(words, "level", LEVELS);
  if (minLevel === undefined || !words.end()) return undefined;
  return { target, maxLength, format, facility, maxLevel, minLevel, place };
}

function nameIndex(words: WordReader, what: string, names: readonly string[]): number | undefined {
  const token = words.word(`a ${what} (${names.join(", ")})`);
  if (token === undefined) return undefined;
  const index = names.indexOf(token.text);
  if (index >= 0) return index;
  words.error("unknown-value", `unknown log ${what} '${token.text}'`, token, didYouMean(token.text, names));
  return undefined;
}

function readTarget(words: WordReader, token: Token, context: LoadContext): LogTarget["target"] | undefined {
  const text = token.text;
  if (text === "stdout" || text === "stderr") return { kind: "fd", fd: text === "stdout" ? 1 : 2 };
  const fd = /^fd@([0-9]{1,9})$/.exec(text);
  if (fd !== null) return { kind: "fd", fd: Number(fd[1]) };
  if (text.startsWith("ring@") || text.startsWith("backend@")) {
    const kind = text.slice(0, text.indexOf("@") + 1);
    words.error(
      "unsupported",
      `log targets of kind '${kind}' are known to HAProxy but not supported by Headgate`,
      token,
    );
    return undefined;
  }
  const result = parseAddress(
    text.replace(/^udp([46]?)@/, "ipv$1@").replace(/^ipv@/, ""),
    { port: "optional" },
    context.env,
  );
  if (!result.ok) {
    words.error(result.code, `'log': ${result.message}`, token);
    return undefined;
  }
  const { endpoint } = result.address;
  if (endpoint.kind === "unix") return { kind: "unix", path: endpoint.path };
  if (endpoint.kind === "abns" || /^tcp[46]?@/.test(text)) {
    words.error("unsupported", "a log target is a UDP address, a unix socket, stdout or stderr", token);
    return undefined;
  }
  return { kind: "udp", host: endpoint.host, port: endpoint.port === 0 ? SYSLOG_PORT : endpoint.port };
}
