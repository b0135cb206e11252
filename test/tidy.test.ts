// The style as a test: what a folder may import, what a relay thread must not do, and how files look. Reads the files as text.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
const NOT_OURS = new Set([".git", "node_modules", "dist", "coverage", "build"]);

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name) || /\.(log|sock)$/.test(entry.name)) return [];
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [relative(ROOT, path)] : [];
  });
}

const files = filesBelow(ROOT);
const textOf = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const isTest = (file: string): boolean => file.endsWith(".test.ts");
const sources = files.filter((file) => file.startsWith("src/") && file.endsWith(".ts"));
const program = sources.filter((file) => !isTest(file));
const typescript = files.filter((file) => /^(src|test)\/.*\.ts$/.test(file));

/** The file's code: strings stay, comments are blanked out, lines keep their numbers. */
function codeOf(file: string): string {
  const pattern = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/.*|\/\*[\s\S]*?\*\//g;
  return textOf(file).replace(pattern, (all, string?: string) => string ?? all.replace(/[^\n]/g, " "));
}

/** "file:line: text" of each line of code that matches. */
function hits(among: readonly string[], pattern: RegExp, read: (file: string) => string = codeOf): string[] {
  return among.flatMap((file) =>
    read(file)
      .split("\n")
      .flatMap((line, i) => (pattern.test(line) ? [`${file}:${i + 1}: ${line.trim()}`] : [])),
  );
}

interface Import {
  readonly file: string;
  /** As written, and for a relative one its path from the project's root. */
  readonly from: string;
  readonly path: string | undefined;
}

function importsOf(file: string): Import[] {
  const found = codeOf(file).matchAll(/^(import|export)\s+[^;]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm);
  return [...found].map((match) => {
    const from = match[2] ?? match[3] ?? "";
    const path = from.startsWith(".") ? relative(ROOT, resolve(ROOT, dirname(file), from)) : undefined;
    return { file, from, path };
  });
}

/** The layers from below: a folder may import those on lines before its own, and itself. */
const LAYERS = [
  ["base"],
  ["sys"],
  ["memory", "config"],
  ["balance"],
  ["dataplane", "control"],
  ["operations"],
  ["ways-in"],
  ["main.ts"],
];
const layerOf = (path: string): number => LAYERS.findIndex((layer) => layer.includes(path.split("/")[1] ?? ""));
const ownerOf = (path: string): string => path.split("/")[1] ?? "";

describe("layers", () => {
  test("every file of src belongs to a layer", () => {
    expect(program.filter((file) => layerOf(file) < 0)).toEqual([]);
  });

  test("imports point downwards, and those who share a layer do not know each other", () => {
    const upwards = program.flatMap(importsOf).filter(({ file, path }) => {
      if (path === undefined || ownerOf(path) === ownerOf(file)) return false;
      return !path.startsWith("src/") || layerOf(path) >= layerOf(file);
    });
    expect(upwards.map(({ file, from }) => `${file} imports ${from}`)).toEqual([]);
  });

  test("one file knows the foreign function interface", () => {
    const importers = files.filter((file) => /\.(ts|mjs|js)$/.test(file)).flatMap(importsOf);
    expect([...new Set(importers.filter(({ from }) => from === "koffi").map(({ file }) => file))]).toEqual([
      "src/sys/libc.ts",
    ]);
  });

  test("one file ends the process", () => {
    const others = program.filter((file) => file !== "src/main.ts");
    expect(hits(others, /\bprocess\.(exit|abort|kill|reallyExit)\(|\bexitNow\(/)).toEqual([]);
  });
});

describe("relay threads", () => {
  const dataplane = program.filter((file) => file.startsWith("src/dataplane/"));

  test("no promises, no timers of Node, no clock but the kernel's, no text formats", () => {
    expect(hits(dataplane, /\b(async|await|Promise|setTimeout|setInterval|setImmediate|Date\.now|JSON)\b/)).toEqual([]);
  });

  test("nothing of Node but the entry's worker_threads", () => {
    const builtins = dataplane.flatMap(importsOf).filter(({ path }) => path === undefined);
    expect(builtins.map(({ file, from }) => `${file} ${from}`)).toEqual([
      "src/dataplane/worker.ts node:worker_threads",
    ]);
  });
});

describe("files", () => {
  test("names are kebab-case", () => {
    const named = files.filter((file) => /^(src|test|bench|docs|packaging|examples)\//.test(file));
    const odd = named.filter((file) => {
      const name = basename(file);
      return name !== "README.md" && !/^[a-z0-9]+([-._][a-z0-9]+)*$/.test(name);
    });
    expect(odd).toEqual([]);
  });

  test("none is longer than 400 lines", () => {
    const long = typescript.map((file) => [file, textOf(file).split("\n").length - 1] as const);
    expect(long.filter(([, lines]) => lines > 400)).toEqual([]);
  });

  test("each begins by saying what it is", () => {
    // A unit test beside its source is explained by its name.
    const own = typescript.filter((file) => !(isTest(file) && file.startsWith("src/")));
    expect(own.filter((file) => !textOf(file).startsWith("//"))).toEqual([]);
  });

  test("each folder with code has a README of at most 30 lines", () => {
    const folders = [...new Set(typescript.map((file) => dirname(file)))];
    const lacking = folders.filter((folder) => !files.includes(join(folder, "README.md")));
    const long = files.filter(
      (file) => /^(src|test)\/(.*\/)?README\.md$/.test(file) && textOf(file).split("\n").length - 1 > 30,
    );
    expect({ lacking, long }).toEqual({ lacking: [], long: [] });
  });
});

describe("code", () => {
  const self = "test/tidy.test.ts";

  test("nothing is left for later", () => {
    const words = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].join("|")})\\b`);
    const ours = files.filter((file) => /\.(ts|mjs|c|h|sh|yml|service)$/.test(file));
    expect(hits(ours, words, textOf)).toEqual([]);
  });

  test("no test is switched off, alone, or to do", () => {
    const tests = typescript.filter((file) => isTest(file) && file !== self);
    expect(hits(tests, /\b(it|test|describe)\.(skip|only|todo|fails)\b/)).toEqual([]);
  });

  test("types can be erased: no enum, no namespace", () => {
    expect(hits(typescript, /^\s*(export\s+)?(declare\s+)?(const\s+)?(enum|namespace)\s+\w+/)).toEqual([]);
  });

  test("Node's modules are imported by their full names", () => {
    const bare = typescript.flatMap(importsOf).filter(({ from }) => builtinModules.includes(from));
    expect(bare.map(({ file, from }) => `${file} imports ${from}`)).toEqual([]);
  });

  test("an exported function says what it does, unless it is the one that the file's first comment is about", () => {
    const silent = program.flatMap((file) => {
      const lines = textOf(file).split("\n");
      const exported = lines.flatMap((line, at) => {
        const name = /^export (?:async )?function\*? (\w+)/.exec(line)?.[1];
        return name === undefined ? [] : [{ name, documented: /\*\/\s*$|^\/\//.test(lines[at - 1] ?? "") }];
      });
      if (exported.length === 1) return [];
      return exported.filter(({ documented }) => !documented).map(({ name }) => `${file}: ${name}`);
    });
    expect(silent).toEqual([]);
  });
});

describe("what is published", () => {
  test("links between documents lead somewhere", () => {
    const dead = files
      .filter((file) => file.endsWith(".md"))
      .flatMap((file) =>
        [...textOf(file).matchAll(/\]\(([^)#\s]+)/g)]
          .map((match) => match[1] ?? "")
          .filter((target) => !/^\w+:/.test(target) && !existsSync(resolve(ROOT, dirname(file), target)))
          .map((target) => `${file}: ${target}`),
      );
    expect(dead).toEqual([]);
  });

  test("names no machine's paths and no registry", () => {
    const directory = new RegExp(`(^|[\\s"'\`(=:])/(${["wo" + "rk", "ho" + "me", "ro" + "ot"].join("|")})/`);
    const registry = new RegExp(["registry\\.npm" + "js", "yarn" + "pkg\\.com", "deb\\.deb" + "ian\\.org"].join("|"));
    const text = files.filter((file) => !/\.(svg|png)$/.test(file) && file !== "package-lock.json");
    expect([...hits(text, directory, textOf), ...hits(text, registry, textOf)]).toEqual([]);
  });

  test("the lock file names no download addresses", () => {
    expect(hits(["package-lock.json"], /"resolved": *"https?:/, textOf)).toEqual([]);
  });
});
