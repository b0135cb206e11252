// Words that real configurations contain and that change nothing here: accepted, and named in a notice with the reason. Control
// thread. Only words belong here whose absence nobody could notice in the traffic; what protects or alters it is refused instead.

import type { GlobalDraft, ProxyDraft } from "../drafts.ts";
import type { WordReader } from "../word-reader.ts";
import type { Keyword, ProxyKeyword, ProxySide } from "./keyword.ts";

const FOREGROUND = "Headgate stays in the foreground; the service manager keeps it running";
const ONE_PROCESS = "one process is master and worker, and reloads leave none behind";
const NO_TLS = "Headgate neither takes nor opens TLS connections: it passes them through";
const FILE_LIMIT = "the file limit is raised as far as needed by itself";
const ACKNOWLEDGEMENTS = "when an acknowledgement is sent is left to the kernel";

/** Takes what follows the word, and remembers it. `atLeast`: words that must follow. */
function ignoreLine(
  words: WordReader,
  ignore: GlobalDraft["context"]["ignore"],
  reason: string,
  atLeast: number,
): void {
  const first = words.line.tokens[0];
  for (let i = 0; i < atLeast; i++) if (words.word("a value") === undefined) return;
  if (atLeast > 0) words.rest();
  else if (!words.end()) return;
  if (first !== undefined) ignore(words.keyword, words.spanOf(first), reason);
}

const globalWord = (name: string, args: string, reason: string): Keyword<GlobalDraft> => ({
  name,
  args,
  doc: `Nothing changes: ${reason}.`,
  status: "inert",
  read(words, global) {
    const isOptional = args === "" || args.startsWith("[");
    if (isOptional) words.takeIf(args.slice(1, -1));
    ignoreLine(words, global.context.ignore, reason, isOptional ? 0 : 1);
  },
});

export const INERT_GLOBAL_KEYWORDS: readonly Keyword<GlobalDraft>[] = [
  globalWord("daemon", "", FOREGROUND),
  globalWord("master-worker", "[no-exit-on-failure]", ONE_PROCESS),
  globalWord("mworker-max-reloads", "<number>", ONE_PROCESS),
  globalWord("ulimit-n", "<number>", FILE_LIMIT),
  globalWord("ca-base", "<directory>", NO_TLS),
  globalWord("crt-base", "<directory>", NO_TLS),
  globalWord("ssl-default-bind-ciphers", "<ciphers>", NO_TLS),
  globalWord("ssl-default-bind-ciphersuites", "<ciphersuites>", NO_TLS),
  globalWord("ssl-default-bind-options", "<options>", NO_TLS),
  globalWord("ssl-default-server-ciphers", "<ciphers>", NO_TLS),
  globalWord("ssl-default-server-ciphersuites", "<ciphersuites>", NO_TLS),
  globalWord("ssl-default-server-options", "<options>", NO_TLS),
  globalWord("ssl-dh-param-file", "<file>", NO_TLS),
  globalWord("tune.ssl.default-dh-param", "<number>", NO_TLS),
];

const option = (name: string, side: ProxySide, reason: string): ProxyKeyword<ProxyDraft> => ({
  name: `option ${name}`,
  args: "",
  doc: `Nothing changes: ${reason}.`,
  status: "inert",
  side,
  inDefaults: true,
  negate: () => {},
  read: (words, proxy) => ignoreLine(words, proxy.context.ignore, reason, 0),
});

export const INERT_PROXY_KEYWORDS: readonly ProxyKeyword<ProxyDraft>[] = [
  option("tcp-smart-accept", "frontend", ACKNOWLEDGEMENTS),
  option("tcp-smart-connect", "backend", ACKNOWLEDGEMENTS),
];
