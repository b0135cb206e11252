import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { temporaryDirectory } from "../../../test/harness/temporary-directory.ts";
import { loadConfigText } from "../../config/load.ts";
import { readServerStates } from "./haproxy-files.ts";

const { path: directory, close } = temporaryDirectory();
afterAll(close);
let files = 0;

const line = (backendId: number, backend: string, server: string, weight = 7, forcedId = 0): string =>
  `${backendId} ${backend} 1 ${server} 192.0.2.9 2 0 ${weight} 1 111 6 3 4 6 0 ${forcedId} 0 - 80 - 0 0 - - 0\n`;

/** Reads `text` as the file of a backend `be` (id 2) with the servers s1 and s2; undefined: no file. */
function read(text: string | undefined, from: "global" | "local" = "global") {
  const file = join(directory, `state-${++files}`);
  if (text !== undefined) writeFileSync(file, text);
  const loaded = loadConfigText(
    `global
    server-state-file ${file}
backend be
    timeout connect 1s
    timeout server 1s
    load-server-state-from-file ${from}
    server-state-file-name ${file}
    server s1 192.0.2.1:80
    server s2 192.0.2.2:80
`,
    "test.cfg",
    {},
  );
  if (loaded.config === undefined) throw new Error(JSON.stringify(loaded.diagnostics));
  const said: string[] = [];
  const states = readServerStates(loaded.config, (severity, message) =>
    said.push(`${severity} ${message.replace(file, "FILE")}`),
  );
  const weights = Object.fromEntries([...(states.get("be") ?? [])].map(([name, { weight }]) => [name, weight]));
  return { said, weights };
}

describe("the global file", () => {
  it("gives servers their lines by the names of backend and server; the first one counts, others are nobody's", () => {
    const text = `1\n# header\n${line(9, "be", "s1", 3)}${line(9, "be", "s1", 4)}${line(9, "other", "s2")}${line(2, "be", "s9")}`;
    expect(read(text)).toEqual({ said: [], weights: { s1: 3 } });
  });

  it("leaves out a server whose line has wrong values, with all of them", () => {
    const { said, weights } = read(`1\n${line(2, "be", "s1").replace(" 7 1 ", " 300 x ")}${line(2, "be", "s2", 5)}`);
    expect(weights).toEqual({ s2: 5 });
    expect(said).toEqual([
      "WARNING server-state application failed for server 'be/s1', invalid srv_uweight value '300', invalid srv_iweight value 'x'",
    ]);
  });

  it.each([
    [undefined, "NOTICE config: Can't open global server state file 'FILE': No such file or directory"],
    ["", "NOTICE config: Empty global server state file 'FILE'."],
    ["2\n", "WARNING config: Can't get version of the global server state file 'FILE'."],
    ["1", "WARNING config: Can't get version of the global server state file 'FILE'."],
    [`1\n#\n2 be 1 s1\n${line(2, "be", "s2")}`, "WARNING config: corrupted global server state file 'FILE' at line 2."],
    [`1\n${line(2, "be", "s1").trim()}`, "WARNING config: corrupted global server state file 'FILE' at line 1."],
  ])("of %j nothing is taken", (text, message) => {
    expect(read(text)).toEqual({ said: [message], weights: {} });
  });
});

describe("a backend's own file", () => {
  it("may know the backend by another number", () => {
    expect(read(`1\n${line(3, "be", "s1")}${line(3, "other", "s2")}`, "local")).toEqual({
      said: ["WARNING Proxy 'be': backend ID mismatch: from server state file: '3', from running config '2'"],
      weights: { s1: 7 },
    });
  });

  it("knows it by another name only where its number was given in the configuration", () => {
    const message =
      "WARNING Proxy 'be': backend name mismatch: from server state file: 'old', from running config 'be'";
    expect(read(`1\n${line(2, "old", "s1", 7, 0)}`, "local")).toEqual({ said: [message], weights: {} });
    expect(read(`1\n${line(2, "old", "s1", 7, 1)}`, "local")).toEqual({ said: [message], weights: { s1: 7 } });
  });

  it("is told of servers that are no more", () => {
    expect(read(`1\n${line(2, "be", "gone")}`, "local").said).toEqual([
      "WARNING Proxy 'be': can't find server 'gone' in backend 'be'",
    ]);
  });

  it.each([
    [undefined, "NOTICE Proxy 'be': Can't open server state file 'FILE': No such file or directory."],
    ["", "NOTICE Proxy 'be': Empty server state file 'FILE'."],
    ["x\n", "WARNING Proxy 'be': Can't get version of the server state file 'FILE'."],
    ["1\nx\n", "WARNING Proxy 'be': corrupted server state file 'FILE' at line 1."],
  ])("of %j nothing is taken", (text, message) => {
    expect(read(text, "local")).toEqual({ said: [message], weights: {} });
  });
});
