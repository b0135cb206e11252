import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, test, vi } from "vitest";
import { ipSockaddr } from "../../base/address.ts";
import { loadConfigText } from "../../config/load.ts";
import { parseLogFormat } from "../../config/log-format/parse.ts";
import type { Config, LogTarget, ProxyConfig } from "../../config/model.ts";
import { EndCause, EndPhase } from "../../memory/end-state.ts";
import { R_KIND, RECORD_WORDS, RecordKind } from "../../memory/record-row.ts";
import { S_CLIENT_ADDR, S_END_CAUSE, S_END_PHASE, S_FRONTEND, S_RETRIES } from "../../memory/session-row.ts";
import type { ProxyEntry, Registry } from "../registry.ts";
import { LogLevel } from "./syslog-frame.ts";
import { LogTargets } from "./targets.ts";
import { TrafficLog } from "./traffic-log.ts";

test("each proxy's records and messages go to its own targets, those of the process to the global ones", async () => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const messages: string[] = [];
  socket.on("message", (message) => messages.push(message.toString()));
  const target = (facility: number): LogTarget => ({
    target: { kind: "udp", host: "127.0.0.1", port: socket.address().port },
    maxLength: 1024,
    format: "priority",
    facility,
    maxLevel: 7,
    minLevel: 0,
    place: { file: "t.cfg", line: 1, column: 1 },
  });
  const proxyConfig = (name: string, tcplog: boolean, logs: LogTarget[]): ProxyConfig =>
    ({ name, tcplog, logs }) as Partial<ProxyConfig> as ProxyConfig;
  const proxies = [
    proxyConfig("plain", false, [target(1)]),
    proxyConfig("detailed", true, [target(2)]),
    proxyConfig("silent", true, []),
  ];
  const config = { global: { logs: [target(0)] }, proxies } as unknown as Config;
  const entries = proxies.map((proxy) => ({
    name: proxy.name,
    config: proxy,
  })) as Partial<ProxyEntry>[] as ProxyEntry[];
  const registry: Registry = {
    config,
    maxconn: 100,
    proxies: entries,
    proxiesByIndex: entries,
    serversByIndex: [],
    listenersByIndex: [],
  };
  const log = new TrafficLog(registry, await LogTargets.open(config));

  const record = (frontend: number, kind: number): void => {
    const words = new Int32Array(RECORD_WORDS);
    new Uint8Array(words.buffer).set(ipSockaddr("127.0.0.2", 1), S_CLIENT_ADDR * 4);
    words[S_FRONTEND] = frontend;
    words[R_KIND] = kind;
    log.record(words, new Float64Array(words.buffer), 0);
  };
  for (const frontend of [0, 1, 2, 99, -1]) {
    record(frontend, RecordKind.ACCEPTED);
    record(frontend, RecordKind.ENDED);
  }
  log.message(LogLevel.WARNING, "about\nplain", entries[0]);
  log.message(LogLevel.NOTICE, "about all");

  await vi.waitFor(() => expect(messages.length).toBe(4));
  expect(messages[0]).toBe("<14>Connect from 127.0.0.2:1 to unknown (plain/TCP)\n");
  expect(messages[1]).toMatch(/^<22>127\.0\.0\.2:1 \[.*\] detailed plain\/#0 0\/0\/0 0 .*\n$/);
  expect(messages[2]).toBe("<12>about plain\n");
  expect(messages[3]).toBe("<5>about all\n");
  expect(log.dropped()).toBe(0);
  await log.close();
  socket.close();
});

test("what is usual is left out, what is not is an error; tag and structured data are the section's", async () => {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const messages: string[] = [];
  socket.on("message", (message) => messages.push(message.toString()));
  const text = (format: string) => parseLogFormat(format, { error: () => {}, warning: () => {} });
  const { config } = loadConfigText(
    `global
  log 127.0.0.1:${socket.address().port} format rfc5424 local0
  log-tag edge
defaults
  timeout client 1s
  timeout server 1s
  timeout connect 1s
  log global
listen a
  bind 127.0.0.1:1
  log-tag edge-a
  log-format "%f %ts"
  log-format-sd '%{+Q}o [id@1 retries=%[txn.conn_retries]]'
  option dontlog-normal
  option log-separate-errors
listen b
  bind 127.0.0.1:2
  option log-separate-errors
  log-format "%f %ts %lc/%rt"
`,
    "t.cfg",
    {},
  );
  expect(config?.proxies[1]?.logFormat).toEqual(text("%f %ts %lc/%rt"));
  const entries = config!.proxies.map((proxy) => ({ name: proxy.name, config: proxy })) as unknown as ProxyEntry[];
  const registry: Registry = {
    config: config!,
    maxconn: 100,
    proxies: entries,
    proxiesByIndex: entries,
    serversByIndex: [],
    listenersByIndex: [],
  };
  const log = new TrafficLog(registry, await LogTargets.open(config!));
  const record = (frontend: number, cause: EndCause, retries: number): void => {
    const words = new Int32Array(RECORD_WORDS);
    words[S_FRONTEND] = frontend;
    words[R_KIND] = RecordKind.ENDED;
    words[S_END_CAUSE] = cause;
    words[S_END_PHASE] = EndPhase.DATA;
    words[S_RETRIES] = retries;
    log.record(words, new Float64Array(words.buffer), 0);
  };
  for (const frontend of [0, 1]) {
    record(frontend, EndCause.NORMAL, 0);
    record(frontend, EndCause.NORMAL, 2);
    record(frontend, EndCause.CLIENT, 0);
  }
  log.message(LogLevel.NOTICE, "about all");
  await vi.waitFor(() => expect(messages.length).toBe(6));
  const pid = process.pid;
  expect(messages.map((message) => message.replace(/\S+T\S+ /, ""))).toEqual([
    `<131>1 - edge-a ${pid} - [id@1 retries="2"] a -D\n`,
    `<131>1 - edge-a ${pid} - [id@1 retries="0"] a CD\n`,
    `<134>1 - edge ${pid} - - b -D 0/2\n`,
    `<131>1 - edge ${pid} - - b -D 1/3\n`,
    `<131>1 - edge ${pid} - - b CD 2/4\n`,
    `<133>1 - edge ${pid} - - about all\n`,
  ]);
  await log.close();
  socket.close();
});
