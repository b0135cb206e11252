import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { CheckUpstream, type CheckUpstreamScript } from "../../../test/compat/check-upstreams.ts";
import { runCheck } from "../../../test/compat/run-check.ts";
import { loopbackAddress } from "../../../test/harness/ports.ts";
import { temporaryDirectory } from "../../../test/harness/temporary-directory.ts";
import { BlackHole, refuser } from "../../../test/harness/upstream.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";
import type { CheckConfig, CheckProtocol } from "../../config/health-model.ts";
import { checkTarget } from "./check-target.ts";
import { startTcpConnectCheck } from "./tcp-connect-check.ts";

const ADDRESS = loopbackAddress(41);
const place = { file: "test", line: 1, column: 1 };
const never = () => new AbortController().signal;
const descriptors = () => readdirSync("/proc/self/fd").length;

const checkOf = (protocol: CheckProtocol, more: Partial<CheckConfig> = {}): CheckConfig => ({
  interMs: 5000,
  fastInterMs: 5000,
  downInterMs: 5000,
  rise: 2,
  fall: 3,
  sendProxy: false,
  initState: "none",
  protocol,
  ...more,
});

const HTTP: CheckProtocol = {
  kind: "http",
  steps: [{ kind: "send", method: "OPTIONS", uri: "/", headers: [], place }],
};

const closers: (() => unknown)[] = [];

async function serve(script: CheckUpstreamScript): Promise<{ host: string; port: number; upstream: CheckUpstream }> {
  const upstream = await CheckUpstream.start(script, ADDRESS);
  closers.push(() => upstream.close());
  return { host: ADDRESS, port: upstream.port, upstream };
}

describe("a run of a check", () => {
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });

  it("leaves no descriptor open, whatever the servers do: 10,000 runs", async () => {
    const hole = await BlackHole.start(loopbackAddress(42));
    closers.push(() => hole.close());
    const refused = await refuser(loopbackAddress(46));
    const targets = [
      await serve({ answers: ["HTTP/1.0 200 OK\r\n\r\n"], end: "close" }),
      await serve({ answers: ["HTTP/1.0 200 OK\r\n\r\n"], flood: true }),
      await serve({ answers: ["HTTP/1.0 200 OK\r\n\r\n"], trickleMs: 2 }),
      await serve({ answers: ["HTTP/1.0 2"] }),
      await serve({}),
      await serve({ end: "close" }),
      await serve({ end: "reset" }),
      await serve({ greeting: "garbage\r\n" }),
      { host: refused.address, port: refused.port },
      { host: hole.address, port: hole.port },
    ];
    const protocols: CheckProtocol[] = [
      { kind: "tcp" },
      HTTP,
      { kind: "pgsql", user: "u" },
      { kind: "smtp", hello: "HELO", domain: "x" },
      { kind: "redis" },
    ];
    const checksWithin = (ms: number) => {
      const times = { interMs: ms, timeoutMs: ms, connectTimeoutMs: ms };
      const tls = { verify: false, alpn: [] };
      return [...protocols.map((protocol) => checkOf(protocol, times)), checkOf({ kind: "tcp" }, { ...times, tls })];
    };
    const before = descriptors();
    const patient = checksWithin(1500).flatMap((check) => targets.map((target) => runCheck(check, target, never())));
    const found = new Set((await Promise.all(patient)).map((result) => result.status));
    expect([...found].sort()).toEqual([
      "L4CON",
      "L4OK",
      "L4TOUT",
      "L6RSP",
      "L6TOUT",
      "L7OK",
      "L7RSP",
      "L7STS",
      "L7TOUT",
      "SOCKERR",
    ]);
    const hasty = checksWithin(40);
    let left = 10_000;
    const worker = async (): Promise<void> => {
      while (left > 0) {
        const turn = left--;
        await runCheck(
          hasty[turn % hasty.length]!,
          targets[Math.floor(turn / hasty.length) % targets.length]!,
          never(),
        );
      }
    };
    await Promise.all(Array.from({ length: 100 }, worker));
    await waitFor(
      () => descriptors() <= before,
      () => `the descriptors to be closed: ${descriptors()} open, ${before} before`,
    );
  }, 120_000);

  it("is cancelled in every phase, with the signal's reason, and closes its socket", async () => {
    const hole = await BlackHole.start(loopbackAddress(43));
    closers.push(() => hole.close());
    const silent = await serve({});
    const before = descriptors();
    const tls = { verify: false, alpn: [] };
    for (const [check, target] of [
      [checkOf({ kind: "tcp" }), { host: hole.address, port: hole.port }],
      [checkOf(HTTP), { host: hole.address, port: hole.port }],
      [checkOf(HTTP), silent],
      [checkOf({ kind: "tcp" }, { tls }), silent],
    ] as const) {
      const controller = new AbortController();
      const accepted = silent.upstream.accepted;
      const run = runCheck(check, target, controller.signal);
      if (target === silent) await waitFor(() => silent.upstream.accepted > accepted, "the connection");
      controller.abort(new Error("enough"));
      await expect(run).rejects.toThrow("enough");
    }
    await waitFor(
      () => descriptors() <= before,
      () => `the descriptors to be closed: ${descriptors()} open, ${before} before`,
    );
  });

  it("hears nothing of a plain check that was cancelled", async () => {
    const { address, port } = await refuser(loopbackAddress(46));
    const hole = await BlackHole.start(loopbackAddress(45));
    closers.push(() => hole.close());
    const before = descriptors();
    let reports = 0;
    for (const target of [
      { host: address, port },
      { host: hole.address, port: hole.port },
    ]) {
      const cancel = startTcpConnectCheck(target, 5000, () => reports++);
      cancel();
      cancel();
    }
    expect(descriptors()).toBe(before);
    expect(await runCheck(checkOf({ kind: "tcp" }), await serve({}), never())).toMatchObject({ status: "L4OK" });
    expect(reports).toBe(0);
  });

  it("looks a host name up", async () => {
    const server = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => server.listen({ host: "localhost", port: 0 }, resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const bound = server.address();
    const port = typeof bound === "object" && bound ? bound.port : 0;
    const result = await runCheck(checkOf({ kind: "tcp" }), { host: "localhost", port }, never());
    expect(result).toMatchObject({ status: "L4OK" });
  });

  it("rejects at once if the signal is aborted already", async () => {
    const reason = new Error("too late");
    await expect(
      runCheck(checkOf({ kind: "tcp" }), { host: ADDRESS, port: 1 }, AbortSignal.abort(reason)),
    ).rejects.toBe(reason);
  });

  it("checks a unix socket", async () => {
    const directory = temporaryDirectory();
    closers.push(() => directory.close());
    const path = join(directory.path, "s.sock");
    const server = createServer((socket) => socket.on("error", () => {}).on("data", () => socket.end("+PONG\r\n")));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    expect(await runCheck(checkOf({ kind: "redis" }), { path }, never())).toMatchObject({ status: "L7OK" });
    expect(await runCheck(checkOf({ kind: "tcp" }), { path }, never())).toMatchObject({ status: "L4OK" });
    const missing = await runCheck(checkOf({ kind: "tcp" }), { path: `${path}.not` }, never());
    expect(missing).toMatchObject({ status: "L4CON", description: "No such file or directory" });
  });

  it("goes to the check's own address and port", () => {
    const server = { host: "10.0.0.1", port: 80 };
    expect(checkTarget({}, server)).toEqual(server);
    expect(checkTarget({ port: 81 }, server)).toEqual({ host: "10.0.0.1", port: 81 });
    expect(checkTarget({ addr: "10.0.0.2" }, server)).toEqual({ host: "10.0.0.2", port: 80 });
    expect(checkTarget({ addr: "10.0.0.2", port: 9 }, { path: "/x" })).toEqual({ host: "10.0.0.2", port: 9 });
  });

  it("speaks the PROXY protocol of its own connection first", async () => {
    const server = await serve({ answers: ["+PONG\r\n"] });
    await runCheck(checkOf({ kind: "redis" }, { sendProxy: true }), server, never());
    expect(server.upstream.received[0]).toMatch(
      new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 ${ADDRESS} \\d+ ${server.port}\r\n\\*1\r\n`),
    );
  });
});

describe("an external check", () => {
  const directory = temporaryDirectory();
  const script = (name: string, text: string): string => {
    const path = join(directory.path, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  const external = (command: string, more: Partial<CheckConfig> = {}) =>
    checkOf({ kind: "external", command, path: "/usr/bin:/bin" }, more);
  const target = { host: "127.0.0.9", port: 5432 };
  const facts = {
    proxyName: "be",
    proxyId: 3,
    serverName: "s1",
    serverId: 4,
    serverMaxconn: 50,
    serverCurrentSessions: 6,
  };

  it("passes the server in arguments and environment, and reports the exit code", async () => {
    const output = join(directory.path, "output");
    const command = script("good", `{ echo "$@"; env | grep HAPROXY_ | sort; } > ${output}`);
    const result = await runCheck(external(command), target, never(), facts);
    expect(result).toMatchObject({ status: "PROCOK", code: 0, description: "" });
    expect(readFileSync(output, "utf8")).toBe(
      [
        "NOT_USED NOT_USED 127.0.0.9 5432",
        "HAPROXY_PROXY_ADDR=NOT_USED",
        "HAPROXY_PROXY_ID=3",
        "HAPROXY_PROXY_NAME=be",
        "HAPROXY_PROXY_PORT=NOT_USED",
        "HAPROXY_SERVER_ADDR=127.0.0.9",
        "HAPROXY_SERVER_CURCONN=6",
        "HAPROXY_SERVER_ID=4",
        "HAPROXY_SERVER_MAXCONN=50",
        "HAPROXY_SERVER_NAME=s1",
        "HAPROXY_SERVER_PORT=5432",
        "HAPROXY_SERVER_PROTO=tcp",
        "HAPROXY_SERVER_SSL=0",
        "",
      ].join("\n"),
    );
    const failing = await runCheck(external(script("bad", "exit 7")), target, never(), facts);
    expect(failing).toMatchObject({ status: "PROCERR", code: 7 });
    const missing = await runCheck(external(join(directory.path, "missing")), target, never(), facts);
    expect(missing).toMatchObject({ status: "PROCERR", code: 255 });
  });

  it("ends a program whose time is over, and one that is cancelled", async () => {
    const pidFile = join(directory.path, "pid");
    const command = script("slow", `echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 600`);
    const isGone = () => {
      try {
        process.kill(Number(readFileSync(pidFile, "utf8")), 0);
        return false;
      } catch {
        return true;
      }
    };
    const result = await runCheck(external(command, { interMs: 300 }), target, never(), facts);
    expect(result.status).toBe("PROCTOUT");
    await waitFor(isGone, "the program to end");
    writeFileSync(pidFile, "");
    const controller = new AbortController();
    const run = runCheck(external(command), target, controller.signal, facts);
    await waitFor(() => readFileSync(pidFile, "utf8") !== "", "the program to start");
    controller.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
    await waitFor(isGone, "the program to end");
    directory.close();
  });
});
