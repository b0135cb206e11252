// Lines in the section's own format, through the real program: why a session was cut, the addresses of both its connections,
// and JSON that any reader takes.

import { expect, test } from "vitest";
import { Client } from "../harness/client.ts";
import { closeAfterEach } from "../harness/closing.ts";
import { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { SERVER_SIDE } from "../harness/show.ts";
import { echo, Upstream } from "../harness/upstream.ts";
import { waitFor } from "../harness/wait-for.ts";

const opened = closeAfterEach();

interface JsonLine {
  readonly [name: string]: string | number | boolean | null;
}

async function start(lines: string) {
  const upstream = opened(await Upstream.start(echo));
  const log = opened(await LogReceiver.start());
  const port = await freePort();
  const program = await Program.start({
    config: `
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 10s
frontend entrance
    bind *:${port}
    log ${log.endpoint} len 4096 format raw local0
    default_backend pool
    ${lines}
backend pool
    server s1 ${upstream.address}:${upstream.port}
`,
  });
  opened(program);
  const open = async (): Promise<Client> => {
    const client = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
    await client.roundTrip("hello");
    return client;
  };
  const lineOf = (client: Client): Promise<string> =>
    waitFor(
      () => log.messages.find((message) => message.includes(`${client.local.port}`)),
      () => `a line of port ${client.local.port}:\n${log.messages.join("")}`,
    );
  return { program, upstream, port, open, lineOf };
}

test("`option jsonlog` says all of a session, and why it was cut", async () => {
  const { program, upstream, port, open, lineOf } = await start("option jsonlog");
  const json = async (client: Client): Promise<JsonLine> => JSON.parse(await lineOf(client)) as JsonLine;
  const ended = await open();
  ended.close();
  expect(await json(ended)).toMatchObject({ termination_state: "--", cause: null });

  const killed = await open();
  const sourcePort = upstream.connections.at(-1)!.socket.remotePort;
  await program.runtime("shutdown sessions server pool/s1");
  const line = await json(killed);
  expect(line).toMatchObject({
    pid: program.pid,
    client_ip: killed.local.address,
    client_port: killed.local.port,
    frontend_name: "entrance",
    frontend_ip: FRONTEND_ADDRESS,
    frontend_port: port,
    backend_name: "pool",
    server_name: "s1",
    server_ip: upstream.address,
    server_port: upstream.port,
    backend_source_port: sourcePort,
    bytes_uploaded: 5,
    bytes_read: 5,
    termination_state: "KC",
    cause: "operator",
    redispatched: false,
  });
  expect(line.accept_date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  const evicted = await open();
  await program.runtime("evict server pool/s1");
  expect(await json(evicted)).toMatchObject({ termination_state: "KC", cause: "eviction" });
});

test("`%cause` stands in a format of one's own, and a server that was left has no address", async () => {
  const { program, port, open, lineOf } = await start('log-format "%ci:%cp %fi %b/%s %bi:%bp cause=%cause %{+Q}cause"');
  const killed = await open();
  const [session] = (await program.sessions()).filter(({ serverSide }) => serverSide === SERVER_SIDE.established);
  await program.runtime(`shutdown session ${session!.id}`);
  expect(await lineOf(killed)).toMatch(/^127\S+ \S+ pool\/s1 127\S+:\d+ cause=operator "operator"\n$/);
  await program.runtime("disable server pool/s1");
  const turnedAway = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
  turnedAway.resume();
  expect(await lineOf(turnedAway)).toMatch(new RegExp(`^127\\S+ ${FRONTEND_ADDRESS} pool/<NOSRV> -:- cause=- ""\\n$`));
});
