import { afterEach, describe, expect, it } from "vitest";
import { DnsServer } from "../../../test/harness/dns-server.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";
import type { NameserverConfig } from "../../config/resolvers-model.ts";
import { encodeQuery, messageId, readAnswer } from "./message.ts";
import { type Nameserver, openNameserver } from "./nameserver.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(transport: NameserverConfig["transport"]) {
  const server = await DnsServer.start();
  server.setAddresses("db.test", "127.0.0.9");
  const [host = "", port = ""] = server.endpoint.split(":");
  const messages: Uint8Array[] = [];
  const nameserver: Nameserver = openNameserver({ id: "ns1", transport, host, port: Number(port) }, (message, from) => {
    expect(from).toBe(nameserver);
    messages.push(Uint8Array.from(message));
  });
  closing.push(
    () => server.close(),
    () => nameserver.close(),
  );
  const arrived = (count: number): Promise<unknown> =>
    waitFor(
      () => messages.length >= count,
      () => `${count} answers, there are ${messages.length}`,
    );
  return { server, nameserver, messages, arrived };
}

describe.each(["udp", "tcp"] as const)("a nameserver over %s", (transport) => {
  it("is asked, and answers", async () => {
    const { server, nameserver, messages, arrived } = await start(transport);
    for (const id of [1, 2, 3]) nameserver.send(encodeQuery(id, "db.test", "A", 512));
    await arrived(3);
    expect(messages.map(messageId).sort()).toEqual([1, 2, 3]);
    expect(readAnswer(messages[0]!, "db.test", "A", 512)).toMatchObject({
      ok: true,
      records: [{ address: "127.0.0.9" }],
    });
    expect(server.questions.map((question) => question.transport)).toEqual([transport, transport, transport]);
    expect(nameserver.counters).toMatchObject({ sent: 3, snd_error: 0 });
  });
});

describe("an answer that was cut off", () => {
  it("is asked for again over TCP, and counted", async () => {
    const { server, nameserver, messages, arrived } = await start("udp");
    server.truncates = true;
    nameserver.send(encodeQuery(7, "db.test", "A", 512));
    await arrived(1);
    expect(readAnswer(messages[0]!, "db.test", "A", 512)).toMatchObject({ ok: true });
    expect(server.questions.map(({ transport }) => transport)).toEqual(["udp", "tcp"]);
    expect(nameserver.counters).toMatchObject({ sent: 1, truncated: 1 });
  });
});

describe("a nameserver that is gone", () => {
  it("over TCP is a failure to send", async () => {
    const { server, nameserver } = await start("tcp");
    await server.close();
    nameserver.send(encodeQuery(1, "db.test", "A", 512));
    await waitFor(
      () => nameserver.counters.snd_error > 0,
      () => "a connection that fails",
    );
    expect(nameserver.counters).toMatchObject({ sent: 1, snd_error: 1 });
  });
});
