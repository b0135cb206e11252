import { afterEach, describe, expect, it } from "vitest";
import { CheckUpstream, type CheckUpstreamScript } from "../../../test/compat/check-upstreams.ts";
import { loopbackAddress } from "../../../test/harness/ports.ts";
import { refuser } from "../../../test/harness/upstream.ts";
import { agentVerdict, parseAgentReply, runAgentCheck } from "./agent-check.ts";

const ADDRESS = loopbackAddress(44);

describe("an agent's line", () => {
  it.each([
    ["up", { health: "up", text: "" }],
    ["Down # disk full", { health: "Down", text: "disk full" }],
    ["up,drain 50%\tmaxconn:30", { health: "up", admin: "drain", weight: "50%", maxconn: "30", text: "" }],
    ["ready, weight:10", { admin: "ready", weight: "10", text: "" }],
    ["stopped fail", { health: "fail", text: "" }],
    ["maint bogus worse", { admin: "maint", unknownWord: "bogus", text: "" }],
    ["", { text: "" }],
    ["# up", { text: "up" }],
    ["75", { unknownWord: "75", text: "" }],
  ])("%j", (line, reply) => {
    expect(parseAgentReply(line)).toEqual(reply);
  });

  it.each([
    ["up", "", "L7OK", "via agent : up"],
    ["up # fine", "", "L7OK", "via agent : up (fine)"],
    ["up odd # fine", "", "L7OK", "via agent : up (odd)"],
    ["down odd # disk full", "", "L7STS", "via agent : down (disk full)"],
    ["down", "bad weight", "L7STS", "via agent : down (bad weight)"],
    ["50%", "", "CHECKED", ""],
    ["odd", "", "CHECKED", "agent reports an error : odd"],
    ["50%", "bad weight", "CHECKED", "agent warns : bad weight"],
  ])("%j with the warning %j is %s, %j", (line, warning, status, description) => {
    expect(agentVerdict(parseAgentReply(line), 5, warning)).toEqual({ status, code: 0, description, durationMs: 5 });
  });
});

describe("a run of an agent check", () => {
  let upstream: CheckUpstream | undefined;

  afterEach(async () => {
    await upstream?.close();
  });

  async function ask(script: CheckUpstreamScript, send?: string, interMs = 5000) {
    upstream = await CheckUpstream.start(script, ADDRESS);
    const target = { host: ADDRESS, port: upstream.port };
    return runAgentCheck({ interMs, ...(send === undefined ? {} : { send }) }, target, new AbortController().signal);
  }

  it("reads one line, and needs no more", async () => {
    const { result, reply } = await ask({ greeting: "down # why not\nup\n" });
    expect(result).toMatchObject({ status: "L7STS", description: "via agent : down (why not)" });
    expect(reply).toEqual({ health: "down", text: "why not" });
  });

  it("says what it is told to say first", async () => {
    const { result } = await ask({ answers: ["up\r\n"] }, "hello\n");
    expect(result.status).toBe("L7OK");
    expect(upstream!.received[0]).toBe("hello\n");
  });

  it("takes a line without an end for no line", async () => {
    const { result, reply } = await ask({ greeting: "down", end: "close" });
    expect(result).toMatchObject({ status: "CHECKED", description: "Ignoring incomplete line from agent" });
    expect(reply).toBeUndefined();
  });

  it("gives up on an agent that says nothing, or that is not there", async () => {
    expect((await ask({}, undefined, 50)).result.status).toBe("L7TOUT");
    const { address, port } = await refuser(loopbackAddress(46));
    const refused = await runAgentCheck({ interMs: 5000 }, { host: address, port }, new AbortController().signal);
    expect(refused.result).toMatchObject({ status: "L4CON", description: "Connection refused" });
  });
});
