// The way in: files or text to a configuration, or to the list of what is wrong with it. Control thread, at start and reload.
// Reads files and /etc/passwd, touches nothing else, never throws on anything that a file can hold.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemReason } from "../base/errors.ts";
import { CONFIG_FILE_BYTES_MAX } from "../base/limits.ts";
import { runThrough, type Steps } from "../base/turns.ts";
import { readSystemAccounts } from "./accounts.ts";
import { assemble } from "./assemble.ts";
import { buildDrafts } from "./build.ts";
import { DiagnosticList, lineSpan, type SourceLine, type Span } from "./diagnostics.ts";
import type { LoadContext } from "./drafts.ts";
import { LOG_FORMAT_ENVIRONMENT } from "./log-format/ready-made.ts";
import type { LoadResult } from "./model.ts";
import { readResolvConf } from "./resolv-conf.ts";
import { type RawSection, readSections, type SourceFile } from "./sections.ts";
import { validate } from "./validate.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Loads files, and of directories the *.cfg files in the order of their names, as one configuration. `config` is undefined
 * where there is at least one error; warnings and notices leave it valid.
 */
export function loadConfig(paths: readonly string[], env: Environment): LoadResult {
  return runThrough(loadConfigSteps(paths, env));
}

/** The same in parts. All files are read in the first one, so that they are of one moment. */
export function* loadConfigSteps(paths: readonly string[], env: Environment): Steps<LoadResult> {
  const diagnostics = new DiagnosticList();
  const files = paths.flatMap((path) => readPath(path, diagnostics));
  return yield* loadFiles(files, env, diagnostics, paths);
}

/** Loads one text under the name that its messages shall show. `resolvConf`: where the text of /etc/resolv.conf comes from. */
export function loadConfigText(
  text: string,
  fileName: string,
  env: Environment,
  resolvConf: () => string | undefined = readResolvConf,
): LoadResult {
  return runThrough(loadFiles([{ name: fileName, text }], env, new DiagnosticList(), [fileName], resolvConf));
}

function* loadFiles(
  files: readonly SourceFile[],
  environment: Environment,
  diagnostics: DiagnosticList,
  paths: readonly string[],
  resolvConf: () => string | undefined = readResolvConf,
): Steps<LoadResult> {
  const env = { ...environment, ...LOG_FORMAT_ENVIRONMENT };
  const kept = new KeptWords();
  const inert = new InertWords();
  const context: LoadContext = {
    env,
    accounts: readSystemAccounts(),
    resolvConf,
    keep: (name, span) => kept.add(name, span),
    ignore: (name, span, reason) => inert.add(name, span, reason),
  };
  const sections: RawSection[] = [];
  for (const file of files) for (const section of yield* readSections(file, env, diagnostics)) sections.push(section);
  const drafts = yield* buildDrafts(sections, context, diagnostics);
  yield* validate(drafts, diagnostics);
  kept.report(diagnostics);
  inert.report(diagnostics);
  const hasListener = drafts.global.statsSockets.length > 0 || drafts.proxies.some((proxy) => proxy.binds.length > 0);
  if (!hasListener && !diagnostics.hasErrors) {
    diagnostics.warning("no-listener", "nothing listens: there is no 'bind' line", wholeFile(paths.at(-1) ?? ""));
  }
  const config = diagnostics.hasErrors ? undefined : yield* assemble(drafts, resolvConf());
  return { config, diagnostics: diagnostics.sorted([...paths, ...files.map((file) => file.name)]) };
}

function wholeFile(name: string): Span {
  const line: SourceLine = { file: name, number: 1, text: "", tokens: [] };
  return lineSpan(line);
}

function readPath(path: string, diagnostics: DiagnosticList): readonly SourceFile[] {
  try {
    const stat = statSync(path);
    if (!stat.isDirectory()) return [readFile(path)];
    const names = readdirSync(path)
      .filter((name) => name.endsWith(".cfg") && !name.startsWith("."))
      .sort();
    if (names.length === 0) {
      diagnostics.error("unreadable", `there is no *.cfg file in directory '${path}'`, wholeFile(path));
    }
    return names.flatMap((name) => readPath(join(path, name), diagnostics));
  } catch (error) {
    diagnostics.error("unreadable", `cannot read '${path}': ${systemReason(error)}`, wholeFile(path));
    return [];
  }
}

function readFile(path: string): SourceFile {
  const bytes = readFileSync(path);
  if (bytes.length > CONFIG_FILE_BYTES_MAX)
    throw new Error(`it has ${bytes.length} bytes; the most is ${CONFIG_FILE_BYTES_MAX}`);
  return { name: path, text: bytes.toString("utf8") };
}

/** Words that were read but are not active yet: one notice for each file names them all. */
class KeptWords {
  readonly #files = new Map<string, { readonly first: Span; readonly names: Set<string> }>();

  add(name: string, span: Span): void {
    const file = this.#files.get(span.line.file);
    if (file === undefined) this.#files.set(span.line.file, { first: span, names: new Set([name]) });
    else file.names.add(name);
  }

  report(diagnostics: DiagnosticList): void {
    for (const { first, names } of this.#files.values()) {
      const message = `read and kept, but not active yet: ${[...names].join(", ")}`;
      diagnostics.notice("not-active-yet", message, first);
    }
  }
}

/** Words that change nothing here: one notice for each file names them all, by reason. */
class InertWords {
  readonly #files = new Map<string, { readonly first: Span; readonly reasons: Map<string, Set<string>> }>();

  add(name: string, span: Span, reason: string): void {
    const file = this.#files.get(span.line.file) ?? { first: span, reasons: new Map<string, Set<string>>() };
    this.#files.set(span.line.file, file);
    file.reasons.set(reason, (file.reasons.get(reason) ?? new Set()).add(name));
  }

  report(diagnostics: DiagnosticList): void {
    for (const { first, reasons } of this.#files.values()) {
      const parts = [...reasons].map(([reason, names]) => `${[...names].join(", ")} (${reason})`);
      diagnostics.notice("no-effect", `accepted, but nothing changes by: ${parts.join("; ")}`, first);
    }
  }
}
