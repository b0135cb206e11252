// Words that say what a log line looks like: `log-format`, `log-format-sd`, `log-tag`, `option tcplog`, `option jsonlog`. Where
// the lines go is in log.ts. Control thread.

import type { GlobalDraft, ProxyDraft } from "../drafts.ts";
import type { LogFormat } from "../log-format/log-format.ts";
import { parseLogFormat } from "../log-format/parse.ts";
import { readLogFormat } from "../log-format/read.ts";
import { JSONLOG_FORMAT, TCPLOG_CLF_FORMAT, TCPLOG_FORMAT } from "../log-format/ready-made.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword, ProxyKeyword } from "./keyword.ts";

const PRINTABLE = /^[\x21-\x7e]+$/;
/** Longest APP-NAME of RFC 5424. */
const TAG_LENGTH_MAX = 48;

/** The line of an ended session: `option tcplog` has a writer of its own, the others are formats. The last word wins. */
function setLine(words: WordReader, proxy: ProxyDraft, format: LogFormat | undefined): void {
  if (proxy.logLine !== undefined) {
    words.warning("given-twice", `'${words.keyword}' replaces the '${proxy.logLine}' above`);
  }
  proxy.logLine = words.keyword;
  proxy.tcplog = format === undefined;
  proxy.logFormat = format;
}

const NOTHING_TO_REPORT = { error: () => {}, warning: () => {} };
const readyMade = (text: string): LogFormat => parseLogFormat(text, NOTHING_TO_REPORT);

function readTag(words: WordReader): string | undefined {
  const token = words.word("<tag>");
  if (token === undefined || !words.end()) return undefined;
  if (PRINTABLE.test(token.text) && token.text.length <= TAG_LENGTH_MAX) return token.text;
  const message = `'log-tag' expects at most ${TAG_LENGTH_MAX} printable characters without blanks`;
  words.error("bad-log-tag", message, token);
  return undefined;
}

const TAG = { name: "log-tag", args: "<tag>", status: "supported" } as const;

export const LOG_GLOBAL_KEYWORDS: readonly Keyword<GlobalDraft>[] = [
  {
    ...TAG,
    doc: "The program's name in log lines, for the process and for sections without a `log-tag` of their own.",
    byDefault: "headgate",
    read(words, global) {
      const tag = readTag(words);
      if (tag !== undefined) global.logTag = tag;
    },
  },
  {
    name: "log-send-hostname",
    args: "[<name>]",
    doc: "The host in the headers of `rfc3164` and `rfc5424`; targets without `format` get `rfc3164` by it. The first one counts if it is given twice.",
    byDefault: "the system's name in `rfc3164`, none in `rfc5424`; with the word alone the system's name",
    status: "supported",
    read(words, global) {
      const token = words.take();
      if (!words.end()) return;
      if (token !== undefined && !PRINTABLE.test(token.text)) {
        words.error("bad-log-tag", "'log-send-hostname' expects printable characters without blanks", token);
      } else if (global.logHostname !== undefined) {
        words.warning("given-twice", "'log-send-hostname' is already given: this line is ignored");
      } else global.logHostname = token?.text ?? "";
    },
  },
];

export const LOG_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  {
    name: "log-format",
    args: "<format>",
    doc: "What the line of an ended session looks like: text, variables and expressions, listed below. Replaces `option tcplog`.",
    status: "supported",
    side: "frontend",
    inDefaults: true,
    read(words, proxy) {
      const format = readLogFormat(words);
      if (format !== undefined) setLine(words, proxy, format);
    },
  },
  {
    name: "log-format-sd",
    args: "<format>",
    doc: 'The structured data of such a line, for targets with `format rfc5424`: `[id@1234 server=\\"%s\\"]`.',
    byDefault: "-",
    status: "supported",
    side: "frontend",
    inDefaults: true,
    read(words, proxy) {
      const format = readLogFormat(words);
      if (format !== undefined) proxy.logFormatSd = format;
    },
  },
  {
    ...TAG,
    doc: "The program's name in the section's log lines.",
    byDefault: "that of the global section",
    side: "both",
    inDefaults: true,
    read(words, proxy) {
      const tag = readTag(words);
      if (tag !== undefined) proxy.logTag = tag;
    },
  },
  {
    name: "option tcplog",
    args: "[clf]",
    doc: `Logs each session in HAProxy's TCP format, the same as \`log-format "${TCPLOG_FORMAT}"\`; \`clf\`: in the form of a web server's log.`,
    status: "supported",
    side: "frontend",
    inDefaults: true,
    read(words, proxy) {
      const isClf = words.takeIf("clf");
      if (words.end()) setLine(words, proxy, isClf ? readyMade(TCPLOG_CLF_FORMAT) : undefined);
    },
  },
  {
    name: "option jsonlog",
    args: "",
    doc: "Ours. Logs each session as one JSON object with all there is to know of it, the cause of a cut among it. See the guide to logging.",
    status: "supported",
    side: "frontend",
    inDefaults: true,
    read(words, proxy) {
      if (words.end()) setLine(words, proxy, readyMade(JSONLOG_FORMAT));
    },
  },
];
