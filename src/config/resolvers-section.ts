// `resolvers` sections to drafts, through their keyword table. Control thread.

import type { DiagnosticList } from "./diagnostics.ts";
import type { LoadContext, ResolversDraft } from "./drafts.ts";
import { type LookupPlace, refuseWord } from "./keywords/keyword.ts";
import { RESOLVERS_TABLE } from "./keywords/resolvers.ts";
import { invalidNameCharacter } from "./names.ts";
import { parseResolvConf } from "./resolv-conf.ts";
import type { HoldConfig, ResolversConfig } from "./resolvers-model.ts";
import type { RawSection } from "./sections.ts";
import { WordReader } from "./word-reader.ts";

const HOLD_DEFAULTS: HoldConfig = {
  valid: 10_000,
  nx: 30_000,
  refused: 30_000,
  timeout: 30_000,
  other: 30_000,
  obsolete: 0,
};

const SECTION_DEFAULTS = { retries: 3, resolveTimeoutMs: 1_000, retryTimeoutMs: 1_000, payloadBytes: 512 };

/** The section of this name exists without being written, where /etc/resolv.conf names nameservers. */
export const DEFAULT_RESOLVERS = "default";

/** Reads one section; undefined where its header is wrong. */
export function readResolvers(
  section: RawSection,
  context: LoadContext,
  diagnostics: DiagnosticList,
): ResolversDraft | undefined {
  const header = new WordReader(section.header, diagnostics, 1);
  header.keyword = "resolvers";
  const name = header.word("<name>");
  if (name === undefined || !header.end()) return undefined;
  const bad = invalidNameCharacter(name.text);
  if (bad !== undefined) {
    const hint = "allowed are letters, digits and . : - _";
    header.error("bad-name", `'${bad}' is not allowed in the name of a section`, name, hint);
  }
  const draft: ResolversDraft = {
    context,
    name: name.text,
    nameSpan: header.spanOf(name),
    nameservers: [],
    hold: { ...HOLD_DEFAULTS },
    ...SECTION_DEFAULTS,
    place: header.place(),
  };
  for (const line of section.lines) readLine(new WordReader(line, diagnostics), draft);
  if (draft.nameservers.length === 0) {
    header.warning("no-nameserver", `resolvers '${draft.name}' has no nameserver: it resolves nothing`, name);
  }
  return draft;
}

function readLine(words: WordReader, draft: ResolversDraft): void {
  const first = words.take();
  if (first === undefined) return;
  words.keyword = first.text;
  const isPair = first.text === "timeout";
  if (isPair) {
    const second = words.word("resolve or retry, and a time");
    if (second === undefined) return;
    words.keyword = `${first.text} ${second.text}`;
  }
  const keyword = RESOLVERS_TABLE.get(words.keyword);
  if (keyword !== undefined) {
    keyword.read(words, draft);
    return;
  }
  const place: LookupPlace = {
    what: `in resolvers '${draft.name}'`,
    known: RESOLVERS_TABLE.keys(),
    unsupported: new Set(),
    hints: {},
  };
  refuseWord(words, 0, isPair ? 2 : 1, place);
}

/** The section as the model has it. */
export function resolversOf(draft: ResolversDraft): ResolversConfig {
  const { name, nameservers, hold, retries, resolveTimeoutMs, retryTimeoutMs, payloadBytes, place } = draft;
  return { name, nameservers, hold, retries, resolveTimeoutMs, retryTimeoutMs, payloadBytes, place };
}

/** The section `default` as it is without being written; undefined without a nameserver of the system. */
export function implicitResolvers(resolvConf: string | undefined): ResolversConfig | undefined {
  const { nameservers } = parseResolvConf(resolvConf ?? "");
  if (nameservers.length === 0) return undefined;
  return { name: DEFAULT_RESOLVERS, nameservers, hold: HOLD_DEFAULTS, ...SECTION_DEFAULTS };
}
