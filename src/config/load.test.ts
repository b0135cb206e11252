// Files, directories and several of them; messages in the order of the text; and that no text at all makes it throw.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderDiagnostic } from "./diagnostics.ts";
import { BIND_TABLE } from "./keywords/bind.ts";
import { GLOBAL_TABLE } from "./keywords/global.ts";
import { PROXY_TABLE } from "./keywords/proxy.ts";
import { SERVER_TABLE } from "./keywords/server.ts";
import { loadConfig, loadConfigText } from "./load.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");
const FRONTEND = "frontend f\n  bind 127.0.0.1:1\n  timeout client 1s\n  default_backend b\n";

let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "headgate-config-"));
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

function file(name: string, text: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

describe("loadConfig", () => {
  it("reads several files as one: what one names the other may hold", () => {
    const { config, diagnostics } = loadConfig([file("one.cfg", FRONTEND), file("two.cfg", "backend b\n")], {});
    expect(diagnostics).toEqual([]);
    expect(config?.proxies.map((proxy) => [proxy.name, proxy.id])).toEqual([
      ["f", 2],
      ["b", 3],
    ]);
  });

  it("begins each file outside of any section", () => {
    const { diagnostics } = loadConfig([file("open.cfg", "backend b\n"), file("rest.cfg", "retries 3\n")], {});
    expect(diagnostics.map((d) => d.code)).toContain("out-of-section");
  });

  it("takes the *.cfg files of a directory in the order of their names", () => {
    const sub = join(directory, "conf.d");
    mkdirSync(sub);
    writeFileSync(join(sub, "20-b.cfg"), "backend b\n");
    writeFileSync(join(sub, "10-f.cfg"), FRONTEND);
    writeFileSync(join(sub, "notes.txt"), "nonsense\n");
    writeFileSync(join(sub, ".hidden.cfg"), "nonsense\n");
    expect(loadConfig([sub], {}).config?.proxies.map((proxy) => proxy.name)).toEqual(["f", "b"]);
  });

  it("says which file is missing, and reads the others all the same", () => {
    const missing = join(directory, "missing.cfg");
    const { config, diagnostics } = loadConfig([missing, file("bad.cfg", "global\n  maxcon 1\n")], {});
    expect(config).toBeUndefined();
    expect(diagnostics.map((d) => d.code)).toEqual(["unreadable", "unknown-keyword"]);
    expect(renderDiagnostic(diagnostics[0] ?? expect.fail())).toContain(`${missing}:1:1: error: cannot read`);
  });

  it("says when a directory has no configuration", () => {
    const empty = join(directory, "empty.d");
    mkdirSync(empty);
    expect(loadConfig([empty], {}).diagnostics.map((d) => d.code)).toEqual(["unreadable"]);
  });

  it.each(["quickstart", "patroni", "redis", "mysql", "kubernetes-api"])(
    "loads examples/%s.cfg without complaint",
    (name) => {
      const { config, diagnostics } = loadConfig([join(EXAMPLES, `${name}.cfg`)], {});
      expect(diagnostics.filter((d) => d.severity !== "notice")).toEqual([]);
      expect(config).toBeDefined();
    },
  );
});

/** Where in a value something could be changed. */
function changeable(value: unknown, path = "config"): string[] {
  if (typeof value !== "object" || value === null || value instanceof RegExp || ArrayBuffer.isView(value)) return [];
  const inside = Object.entries(value).flatMap(([key, field]) => changeable(field, `${path}.${key}`));
  return Object.isFrozen(value) ? inside : [path, ...inside];
}

describe("loadConfigText", () => {
  it("gives a configuration that cannot be changed", () => {
    const lines = [
      "global\n  stats socket /s level admin\n  log 127.0.0.1 local0\nresolvers r\n  nameserver n 127.0.0.1:53",
      `${FRONTEND}  log global\n  log-format "%ci %ST"\nbackend b\n  option httpchk GET /up\n  http-check expect rstatus ^2`,
      "  on-removed drain 1m\n  max-session-age 1h jitter 10\n  default-server inter 3s",
      "  server a 127.0.0.1:1 check check-ssl verify none check-alpn http/1.1\n  server c x.example:2 resolvers r",
      "  server d unix@/d agent-check agent-port 7\n  server e 127.0.0.1:3 track b/a on-marked-down shutdown-sessions",
      "listen s\n  mode http\n  bind :9\n  stats enable",
    ];
    const { config, diagnostics } = loadConfigText(`${lines.join("\n")}\n`, "f.cfg", {});
    expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
    expect(changeable(config)).toEqual([]);
  });

  it("orders its messages by line and column", () => {
    const { diagnostics } = loadConfigText(
      `${FRONTEND}  maxconn x\n  nonsense\nbackend c\n  retries -1\n`,
      "f.cfg",
      {},
    );
    const lines = diagnostics.map((d) => d.place.line);
    expect(lines).toEqual([...lines].sort((a, b) => a - b));
    expect(lines.length).toBe(4);
  });

  it("never throws: on any text, with a config or with an error", () => {
    const known = [BIND_TABLE, GLOBAL_TABLE, PROXY_TABLE, SERVER_TABLE].flatMap((table) => [...table.keys()]);
    const word = fc.oneof(
      fc.constantFrom(...known, "global", "defaults", "frontend a", "backend b", "listen c", "from", "no", "mode http"),
      fc.constantFrom(
        "127.0.0.1:80",
        ":1-3",
        "unix@/x",
        "*",
        "-1",
        "99999999999",
        "1s",
        "random(3)",
        "stats enable",
        '"$X"',
      ),
      fc.string({ unit: "binary", maxLength: 8 }),
    );
    const line = fc.array(word, { maxLength: 6 }).map((list) => list.join(" "));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 25 }), (lines) => {
        const { config, diagnostics } = loadConfigText(`${lines.join("\n")}\n`, "any.cfg", { X: "3" });
        expect(config === undefined).toBe(diagnostics.some((d) => d.severity === "error"));
        for (const d of diagnostics) {
          expect(renderDiagnostic(d)).toMatch(/^any\.cfg:\d+:\d+: (error|warning|notice): /);
          expect(d.place.line).toBeLessThanOrEqual(lines.join("\n").split("\n").length);
          expect(d.place.column + d.length - 1).toBeLessThanOrEqual(Math.max(1, d.lineText.length));
        }
      }),
      { numRuns: 600 },
    );
  });
});
