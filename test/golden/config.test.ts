// Configuration in, model or messages out: each test/golden/config/*.cfg with the expected model (.json) where it is valid and the
// expected messages (.err) where there are any. UPDATE_GOLDEN=1 writes what is found; read the difference before keeping it.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderDiagnostic } from "../../src/config/diagnostics.ts";
import { BIND_TABLE, STATS_SOCKET_TABLE } from "../../src/config/keywords/bind.ts";
import { GLOBAL_TABLE } from "../../src/config/keywords/global.ts";
import { PROXY_TABLE } from "../../src/config/keywords/proxy.ts";
import { RESOLVERS_TABLE } from "../../src/config/keywords/resolvers.ts";
import { SERVER_TABLE } from "../../src/config/keywords/server.ts";
import { loadConfigText } from "../../src/config/load.ts";

const DIRECTORY = join(import.meta.dirname, "config");
const SOURCES = join(import.meta.dirname, "../../src/config");
const UPDATE = process.env.UPDATE_GOLDEN === "1";
const ENV = { HG_PORT: "8080", HG_WORDS: "two words", HG_HOST: "127.0.0.1" };

/** /etc/resolv.conf for the configurations whose name says so; the others have none. */
const RESOLV_CONF =
  "search example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nnameserver here\nnameserver 192.0.2.53\n";

const names = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith(".cfg"))
  .map((name) => basename(name, ".cfg"));

/** Places as "line:column": they are compared, but they shall not drown the rest. */
function printModel(model: unknown): string {
  const shorten = (key: string, value: unknown): unknown => {
    if (value instanceof RegExp) return String(value);
    if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
    if (key !== "place") return value;
    const place = value as { line: number; column: number };
    return `${place.line}:${place.column}`;
  };
  return `${JSON.stringify(model, shorten, 2)}\n`;
}

/** Compares with the file, whose absence stands for "nothing"; or writes it. */
function expectGolden(path: string, actual: string | undefined): void {
  if (UPDATE) {
    if (actual === undefined) rmSync(path, { force: true });
    else writeFileSync(path, actual);
  }
  const expected = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  expect(actual).toBe(expected);
}

describe("golden configurations", () => {
  it.each(names)("%s", (name) => {
    const text = readFileSync(join(DIRECTORY, `${name}.cfg`), "utf8");
    const { config, diagnostics } = loadConfigText(text, `${name}.cfg`, ENV, () =>
      name.includes("resolv-conf") ? RESOLV_CONF : undefined,
    );
    const messages = diagnostics.map((d) => `${renderDiagnostic(d)}\n`).join("");
    expectGolden(join(DIRECTORY, `${name}.json`), config === undefined ? undefined : printModel(config));
    expectGolden(join(DIRECTORY, `${name}.err`), messages === "" ? undefined : messages);
    expect(config === undefined).toBe(diagnostics.some((d) => d.severity === "error"));
  });

  it("has one for each keyword", () => {
    const expected = [
      ...[...GLOBAL_TABLE.keys()].map((name) => `global-${name}`),
      ...[...PROXY_TABLE.keys()].map((name) => `proxy-${name}`),
      ...[...BIND_TABLE.keys()].map((name) => `bind-${name}`),
      ...[...RESOLVERS_TABLE.keys()].map((name) => `resolvers-${name}`),
      ...[...SERVER_TABLE.keys()].map((name) => `server-${name}`),
      ...[...STATS_SOCKET_TABLE.keys()].filter((name) => !BIND_TABLE.has(name)).map((name) => `socket-${name}`),
    ].map((name) => name.replaceAll(" ", "-"));
    expect(expected.filter((name) => !names.includes(name))).toEqual([]);
  });

  it("has one for each message", () => {
    const sources = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map((name) => readFileSync(join(SOURCES, name), "utf8"))
      .join("\n");
    const calls = /(?:\.(?:error|warning|notice)|lexical)\(\s*"([a-z-]+)"/g;
    const codes = new Set([...sources.matchAll(calls)].map((match) => match[1] ?? ""));
    // Needs the file system: load.test.ts has it.
    codes.delete("unreadable");
    const shown = names
      .map((name) => join(DIRECTORY, `${name}.err`))
      .filter((path) => existsSync(path))
      .map((path) => readFileSync(path, "utf8"))
      .join("");
    expect(codes.size).toBeGreaterThan(30);
    expect([...codes].filter((code) => !shown.includes(`[${code}]`))).toEqual([]);
  });

  it("has no expectation without a configuration", () => {
    const strays = readdirSync(DIRECTORY).filter((name) => !names.includes(name.replace(/\.(cfg|json|err)$/, "")));
    expect(strays).toEqual([]);
  });
});
