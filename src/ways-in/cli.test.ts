import { describe, expect, test } from "vitest";
import { type CommandLine, parseCommandLine } from "./cli.ts";

const parse = (line: string): CommandLine => parseCommandLine(line.split(" ").filter((word) => word !== ""));

describe("HAProxy's flags", () => {
  const plain = { kind: "run-proxy", files: ["a.cfg"], quiet: false, verbose: false, debug: false };
  test.each<[string, object]>([
    ["-f a.cfg", plain],
    ["-db -f a.cfg", plain],
    ["-d -V -f a.cfg", { ...plain, debug: true, verbose: true }],
    ["-q -f a.cfg -f dir -- b.cfg -f", { ...plain, quiet: true, files: ["a.cfg", "dir", "b.cfg", "-f"] }],
    ["-- a.cfg", plain],
    ["-f a.cfg -p /run/x.pid -n 2000 -C /etc", { ...plain, pidFile: "/run/x.pid", maxconn: 2000, directory: "/etc" }],
    ["-x /s -f a.cfg -sf 12 13", { ...plain, takeFrom: "/s", finish: { signal: "SIGUSR1", pids: [12, 13] } }],
    ["-st 12 -f a.cfg -x /dev/null", { ...plain, finish: { signal: "SIGTERM", pids: [12] } }],
    ["-sf -f a.cfg", plain],
    ["-W -f a.cfg -S /m,level,user -S :9 -Ws", { ...plain, masters: ["/m,level,user", ":9"] }],
    ["-f -c", { ...plain, files: ["-c"] }],
    ["-c -f a.cfg", { kind: "check", files: ["a.cfg"], quiet: false, verbose: false, style: "haproxy" }],
    ["-c -V -q -f a.cfg", { kind: "check", files: ["a.cfg"], quiet: true, verbose: true, style: "haproxy" }],
    ["-v", { kind: "version", verbose: false }],
    ["-vv", { kind: "version", verbose: true }],
  ])("%s", (line, expected) => {
    expect(parse(line)).toEqual(expected);
  });

  test.each([
    ["-f", "-f needs a configuration file or a directory"],
    ["-f a.cfg -n many", "-n takes a number of connections from 1 to 999999999, not 'many'"],
    ["-f a.cfg -n 0", "-n takes a number of connections from 1 to 999999999, not '0'"],
    ["-c", "no configuration: name one with -f FILE"],
    [
      "-D -f a.cfg",
      "-D is known to HAProxy, not supported by Headgate yet (run it under systemd, or with '&' from a shell)",
    ],
    ["-f a.cfg -sf 12 -st 0", "-st takes process numbers, not '0'"],
    ["-f a.cfg -sf 12 b.cfg", "-sf takes process numbers, not 'b.cfg'"],
    ["-f a.cfg -x", "-x needs the stats socket of the process before"],
    ["-L me -f a.cfg", "-L is known to HAProxy, not supported by Headgate yet"],
    ["-dW -f a.cfg", "-dW is known to HAProxy, not supported by Headgate yet"],
    ["-vvv", "unknown flag '-vvv'; did you mean '-vv'?"],
    ["-f a.cfg b.cfg", "'b.cfg' is no flag: name a configuration with '-f b.cfg', or see 'headgate help'"],
    ["--verison", "unknown flag '--verison'; did you mean '--version'?"],
  ])("%s is refused", (line, message) => {
    expect(parse(line)).toEqual({ kind: "error", text: `headgate: ${message}\nSee 'headgate help'.\n`, exitCode: 1 });
  });
});

describe("subcommands", () => {
  test.each<[readonly string[], object]>([
    [["demo"], { kind: "demo" }],
    [["check", "a.cfg", "b"], { kind: "check", files: ["a.cfg", "b"], quiet: false, verbose: true, style: "headgate" }],
    [["run", "show sess"], { kind: "runtime", command: "show sess", files: [] }],
    [["run", "show", "sess"], { kind: "runtime", command: "show sess", files: [] }],
    [["run", "--socket", "/s", "show info"], { kind: "runtime", command: "show info", socket: "/s", files: [] }],
    [["run", "-f", "a.cfg", "show info"], { kind: "runtime", command: "show info", files: ["a.cfg"] }],
    [["evict", "b/s"], { kind: "evict", words: ["server", "b/s"], dryRun: false, json: false, files: [] }],
    [["plan"], { kind: "plan", planned: [], json: false, files: [] }],
    [
      ["plan", "a.cfg", "b", "--json", "-s", "/s", "-f", "c.cfg"],
      { kind: "plan", planned: ["a.cfg", "b"], json: true, socket: "/s", files: ["c.cfg"] },
    ],
    [
      "evict b/s --drain 30s --idle 200ms --over 10s --order oldest --deadline 60s --client rst --delete --json -s /s".split(
        " ",
      ),
      {
        kind: "evict",
        words: "server b/s drain 30s idle 200ms over 10s order oldest deadline 60s client rst delete".split(" "),
        dryRun: false,
        json: true,
        socket: "/s",
        files: [],
      },
    ],
    [
      ["evict", "b/s", "--dry-run", "-f", "a.cfg"],
      { kind: "evict", words: ["server", "b/s", "dry-run"], dryRun: true, json: false, files: ["a.cfg"] },
    ],
    [
      "evict sessions from 10.0.0.0/8 and idle 10m --over 30s -s /s".split(" "),
      {
        kind: "evict",
        words: "sessions from 10.0.0.0/8 and idle 10m over 30s".split(" "),
        dryRun: false,
        json: false,
        socket: "/s",
        files: [],
      },
    ],
    [["run", "show info", "-s", "/s"], { kind: "runtime", command: "show info", socket: "/s", files: [] }],
  ])("%j", (argv, expected) => {
    expect(parseCommandLine(argv)).toEqual(expected);
  });

  test.each([
    ["demonstrate", /^headgate: unknown command 'demonstrate'; a configuration is named with -f FILE\n/],
    ["help runn", /^headgate: unknown command 'runn'; did you mean 'run'\?\nSee 'headgate help'\.\n$/],
    ["dmeo", /^headgate: unknown command 'dmeo'; did you mean 'demo'\?\n/],
    ["check", /^headgate: missing required argument 'file'\nSee 'headgate help check'\.\n$/],
    ["run", /^headgate: missing required argument 'command'\nSee 'headgate help run'\.\n$/],
    ["run --sokcet /s x", /^headgate: unknown option '--sokcet' \(Did you mean --socket\?\)\n/],
    ["demo extra", /^headgate: too many arguments/],
  ])("%s is refused", (line, text) => {
    const commandLine = parse(line);
    expect(commandLine).toMatchObject({ kind: "error", exitCode: 1 });
    expect((commandLine as { text: string }).text).toMatch(text);
  });
});

test("filters without 'sessions' are wrong use of evict", () => {
  const commandLine = parse("evict b/s from 10.0.0.1");
  expect(commandLine).toMatchObject({ kind: "error", exitCode: 2 });
  expect((commandLine as { text: string }).text).toMatch(/^headgate: filters go with 'sessions'\n/);
});

describe("help", () => {
  test("without arguments the usage, and it is a failure", () => {
    expect(parse("")).toMatchObject({ kind: "help", exitCode: 1 });
  });
  test.each(["help", "-h", "--help"])("%s lists flags and commands", (line) => {
    const commandLine = parse(line) as Extract<CommandLine, { kind: "help" }>;
    expect(commandLine).toMatchObject({ kind: "help", exitCode: 0 });
    expect(commandLine.text).toMatch(/Usage: headgate -f FILE \[flags\]/);
    for (const word of ["demo", "check <file...>", "run [options] <command...>", "-p PIDFILE", "-vv"]) {
      expect(commandLine.text).toContain(word);
    }
  });
  test("the empty command line says the same", () => {
    expect((parse("") as { text: string }).text).toBe((parse("help") as { text: string }).text);
  });
  test("help of a command", () => {
    expect((parse("help run") as { text: string }).text).toContain("HEADGATE_SOCKET");
    expect((parse("run --help") as { text: string }).text).toContain("HEADGATE_SOCKET");
  });
});
