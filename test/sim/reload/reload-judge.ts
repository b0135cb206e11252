// Holds a reloaded program to the model: one population, no session on what was removed beyond its policy, nobody ended without a reason,
// operators' values, counters, and nothing leaked.

import type { ProxyEntry, ServerEntry } from "../../../src/control/registry.ts";
import type { ReloadReport } from "../../../src/control/reload/model.ts";
import type { ReloadPlan, RuntimeValue } from "../../../src/control/reload/plan/model.ts";
import { linesText, planSummary } from "../../../src/control/reload/plan/plan-text.ts";
import { serverStories } from "../../../src/control/reload/plan/runtime-values.ts";
import { W_CONNECTIONS, W_MAXCONN } from "../../../src/memory/control-words.ts";
import { CT_RECORDS_DROPPED } from "../../../src/memory/counters.ts";
import { EndCause, EndPhase } from "../../../src/memory/end-state.ts";
import { SERVER_WORDS, V_ADMIN, V_IN_USE, V_MAXCONN, V_WEIGHT } from "../../../src/memory/server-row.ts";
import * as S from "../../../src/memory/session-row.ts";
import { threadsInService } from "../../../src/memory/shared-memory.ts";
import type { Connection } from "../connection.ts";
import { checkDescriptorTable, checkIdle, checkTables, isLive, must, mustEqual } from "../invariants.ts";
import { checkBytes, checkDescriptors, checkProgress } from "../session-invariants.ts";
import { type ConfigPlan, configText, FIRST_PORT, owners } from "./reload-config.ts";
import { keyOf, MODEL_ADMIN, ReloadModel, sectionsOf } from "./reload-model.ts";
import type { ReloadRig } from "./reload-rig.ts";

const BY_ORDER: ReadonlySet<number> = new Set([EndCause.KILLED, EndCause.DOWN, EndCause.UP]);
const NEVER: ReadonlySet<number> = new Set([EndCause.RESOURCE]);
const TIMEOUTS: ReadonlySet<number> = new Set([EndCause.CLIENT_TIMEOUT, EndCause.SERVER_TIMEOUT]);

const sectionOf = ({ config }: ProxyEntry): string => `${config.kind} ${config.name}`;

export function keyOfEntry({ backend, config }: ServerEntry): string {
  const { endpoint, name } = config;
  return keyOf({ section: sectionOf(backend), name, port: endpoint.kind === "inet" ? endpoint.port : -1 });
}

/**
 * The receipt tells what the plan told, word for word. But sessions come and go in between, what leaves may be called otherwise for its
 * namesakes that leave already, and sockets are closed in the order in which they were opened.
 */
function checkPlan(plan: ReloadPlan, report: ReloadReport): void {
  const words = (text: ReloadPlan): string =>
    `${planSummary(text)}\n${linesText(text, {})}`
      .replace(/(?<=leaving) with \d+ sessions?/g, "")
      .replace(/(with|its) \d+ sessions?( is| are)?|\d+ sessions? ended by/g, "sessions")
      .replace(/, now called [^:]*/g, "")
      .replace(/^- .*$/gm, (line) => line.replace(/( leaves|, \d+ sessions?| leave, without).*/, ""))
      .split("\n")
      .sort()
      .join("\n");
  // Those without sessions are told of in groups.
  const asIfIdle = <T>(told: T): T =>
    JSON.parse(JSON.stringify(told, (name, value) => (name === "sessions" ? 0 : value)));
  // Whether a reload is to be refused because nothing would listen any more is decided before it is prepared.
  const [planned, done] = [words(asIfIdle({ ...plan, refusal: null })), words(asIfIdle(report))];
  must(planned === done, `planned is\n${planned}and done is\n${done}`);
}

export class ReloadJudge {
  readonly model: ReloadModel;
  /** Clients whose session an operator's order may end; servers that are being evicted. */
  readonly excused = new Set<number>();
  readonly evicted = new Set<string>();
  private readonly rig: ReloadRig;
  /** Of each client, the connection to a server that its session had last. */
  private readonly upstreams = new Map<number, Connection>();
  /** Sessions that may be on a server, or in a section, that leaves: those that were there when it was removed. */
  private readonly allowed = new Map<ServerEntry | ProxyEntry, ReadonlySet<string>>();

  constructor(rig: ReloadRig, config: ConfigPlan) {
    this.rig = rig;
    this.model = new ReloadModel(config);
    rig.onRecord = (word) => this.readRecord(word);
  }

  /** Live sessions that a word of their row names this number in, by row and generation. */
  sessionsWith(word: number, value: number): Map<string, number> {
    const { sessions, slots: threads, rowsPerThread } = this.rig.memory;
    const found = new Map<string, number>();
    for (let row = 0; row < threads * rowsPerThread; row++) {
      const base = row * S.SESSION_WORDS;
      if (!isLive(sessions[base + S.S_STATE]) || sessions[base + word] !== value) continue;
      found.set(`${row}.${sessions[base + S.S_GENERATION]}`, this.rig.world.socket(sessions[base + S.S_CLIENT_FD]).id);
    }
    return found;
  }

  /** Those on the server now may be ended by an order. */
  excuse(server: ServerEntry): void {
    for (const client of this.sessionsWith(S.S_SERVER, server.index).values()) this.excused.add(client);
  }

  /** Reloads; the model goes ahead, and the promises at the answer are looked at. */
  async reload(config: ConfigPlan): Promise<void> {
    const { rig, model } = this;
    const servers = rig.proxies.flatMap((proxy) => proxy.servers);
    const there = new Set(servers.filter(({ leaving }) => leaving !== undefined).map(keyOfEntry));
    model.reload(config, rig.world.now, (key) => there.has(key));
    model.noteMaintenance(rig.world.now);
    const { plan, report } = await rig.reload(configText(config));
    checkPlan(plan, report);
    for (const value of report.overruled) this.checkValue(value, value.file);
    for (const value of report.staying) this.checkValue(value, value.runtime);
    const before = new Map(this.allowed);
    this.allowed.clear();
    for (const server of rig.proxies.flatMap((proxy) => proxy.servers)) {
      if (server.leaving === undefined) continue;
      const now = this.sessionsWith(S.S_SERVER, server.index);
      const removal = model.leavingServers.get(keyOfEntry(server));
      must(removal !== undefined, `${keyOfEntry(server)} leaves, and is in the file`);
      must(
        removal.endsMs > rig.world.now || now.size === 0,
        `${keyOfEntry(server)} has ${now.size} sessions at the answer, and should have none`,
      );
      // In a section that goes as a whole its servers still serve those that are in it.
      const own = server.backend.leaving === undefined ? now : this.sessionsWith(S.S_BACKEND, server.backend.index);
      this.allowed.set(server, before.get(server) ?? new Set(own.keys()));
    }
    rig.runUntilIdle();
    this.checkBacklogs();
    for (const proxy of rig.proxies) {
      if (proxy.leaving === undefined) continue;
      const word = proxy.isFrontend ? S.S_FRONTEND : S.S_BACKEND;
      this.allowed.set(proxy, before.get(proxy) ?? new Set(this.sessionsWith(word, proxy.index).keys()));
    }
  }

  /** What the receipt says of an operator's value is so, where it speaks of a server. */
  private checkValue({ of, setting }: RuntimeValue, wanted: string): void {
    const [section, name] = of.split("/");
    const servers = this.rig.proxies.filter((proxy) => proxy.isBackend && proxy.name === section);
    const server = servers.flatMap((proxy) => proxy.servers).find((each) => each.name === name);
    if (server === undefined) return;
    const story = serverStories(this.rig.memory, server, server.config).find((each) => each.setting === setting);
    must(story?.runtime === wanted, `${of} has ${setting} ${story?.runtime}, and the receipt says ${wanted}`);
  }

  /** Everything that must hold between two turns. */
  check(): void {
    const { rig } = this;
    const sums = checkTables(rig, (row) => {
      checkDescriptors(rig, row);
      checkBytes(rig, row);
      this.noteUpstream(row);
    });
    checkDescriptorTable(rig, sums);
    this.checkRegistry();
    this.checkServers();
    this.checkListeners();
    this.checkLeaving();
    this.checkThreads();
    for (const { relay } of rig.relays)
      must(relay.counters[relay.ownCounters + CT_RECORDS_DROPPED] === 0, "a record is lost");
  }

  /** And what must hold when all threads sleep. */
  checkIdle(): void {
    this.check();
    checkIdle(this.rig);
    const { slots: threads, rowsPerThread } = this.rig.memory;
    for (let row = 0; row < threads * rowsPerThread; row++) checkProgress(this.rig, row);
    this.checkBacklogs();
  }

  /** Who waits on a socket is let in, whichever thread was told of it: the process is full, or nobody waits. */
  private checkBacklogs(): void {
    const { words } = this.rig.memory;
    if (words[W_CONNECTIONS]! >= words[W_MAXCONN]!) return;
    for (const { fd, address } of this.rig.listeners) {
      const found = fd < 0 ? undefined : this.rig.world.get(fd);
      const waiting = found?.kind === "listener" ? found.listener.backlog.length : 0;
      must(waiting === 0, `${waiting} clients wait on ${address}, and nobody takes them`);
    }
  }

  /** Threads are those that the file asks for, and those that still have sessions. */
  private checkThreads(): void {
    const { rig } = this;
    const wanted = this.model.config.threads;
    mustEqual(threadsInService(rig.memory), wanted, "threads in service");
    const running = rig.relays.map(({ relay }) => relay.thread);
    must(
      running.length >= wanted && running[wanted - 1] === wanted - 1,
      `${wanted} threads are wanted, ${running} run`,
    );
    for (const { relay } of rig.relays) {
      if (relay.thread < wanted) continue;
      must(
        relay.listeners.every((listener) => listener === undefined),
        `thread ${relay.thread} leaves, and listens`,
      );
    }
  }

  /** Everybody goes home: nothing is left but what the file names. */
  async end(): Promise<void> {
    const { rig } = this;
    const isLeaving = ({ leaving }: ProxyEntry | ServerEntry): boolean => leaving !== undefined;
    const isOver = (): boolean =>
      rig.memory.words[W_CONNECTIONS] === 0 && !rig.proxies.some((proxy) => [proxy, ...proxy.servers].some(isLeaving));
    // Who has just come is let in first.
    rig.settle();
    for (let i = 0; i < 60 && !isOver(); i++) {
      // Whoever was queued connects only now.
      for (const peer of [...rig.world.clients, ...rig.world.servers]) {
        if (!peer.peerGone) peer.peerClose(rig.world.random);
      }
      rig.advance(100);
      await rig.reconcileDue();
    }
    this.checkIdle();
    must(
      rig.proxies.every(({ leaving }) => leaving === undefined),
      "a section leaves without sessions for ever",
    );
    must(
      rig.proxies.flatMap(({ servers }) => servers).every(({ leaving }) => leaving === undefined),
      "a server leaves without sessions for ever",
    );
    rig.threads.look();
    mustEqual(rig.relays.length, this.model.config.threads, "threads that run when nobody is left");
    must(rig.memory.words[W_CONNECTIONS] === 0, `${rig.memory.words[W_CONNECTIONS]} sessions are left, without peers`);
  }

  /** Sections and servers are those of the file, in its order; then what was added at runtime, and what leaves. */
  private checkRegistry(): void {
    const { proxies } = this.rig.registry;
    const present = proxies.filter(({ leaving }) => leaving === undefined).map(sectionOf);
    const wanted = sectionsOf(this.model.config).map(({ name }) => name);
    must(present.join() === wanted.join(), `the sections are ${present}, the file has ${wanted}`);
    const names = proxies.map(({ name, isFrontend }) => `${isFrontend} ${name}`);
    must(new Set(names).size === names.length, `two sections have one name: ${names}`);
    const rows = new Set<number>();
    for (const proxy of proxies) {
      for (const server of proxy.servers) {
        must(!rows.has(server.index), `two servers have row ${server.index}`);
        rows.add(server.index);
        must(server.backend === proxy && !server.isDeleted, `${keyOfEntry(server)} is deleted, or another's`);
      }
    }
    const { serversI32, servers } = this.rig.memory;
    for (let row = 0; row < servers; row++) {
      const isUsed = serversI32[row * SERVER_WORDS + V_IN_USE] === 1;
      must(isUsed === rows.has(row), `row ${row} of the server table is ${isUsed ? "leaked" : "free, and a server's"}`);
    }
  }

  private checkServers(): void {
    const { serversI32 } = this.rig.memory;
    const present = this.rig.proxies.flatMap(({ servers }) => servers).filter(({ leaving }) => leaving === undefined);
    const keys = present.map(keyOfEntry).sort();
    must(
      keys.join() === [...this.model.servers.keys()].sort().join(),
      `the servers are ${keys}, the model has ${[...this.model.servers.keys()].sort()}`,
    );
    for (const server of present) {
      const { values } = this.model.servers.get(keyOfEntry(server))!;
      const row = server.index * SERVER_WORDS;
      const is = [serversI32[row + V_WEIGHT], serversI32[row + V_MAXCONN], serversI32[row + V_ADMIN] & MODEL_ADMIN];
      const wanted = [values.weight, values.maxconn, values.admin];
      must(
        is.join() === wanted.join(),
        `${keyOfEntry(server)} has weight, maxconn, admin ${is}, and should have ${wanted}`,
      );
    }
  }

  private checkListeners(): void {
    const open = this.rig.listeners.filter(({ fd }) => fd >= 0);
    const is = open.map(({ address, proxy }) => `${address} ${proxy.config.name}`).sort();
    const wanted = owners(this.model.config).flatMap((name, port) =>
      name === undefined ? [] : [`127.0.0.1:${FIRST_PORT + port} ${name}`],
    );
    must(is.join() === wanted.sort().join(), `listening are ${is}, the file has ${wanted}`);
  }

  /** Nobody new on what leaves, and nobody at all once its time is over. */
  private checkLeaving(): void {
    for (const [entry, before] of this.allowed) {
      if (entry.isDeleted || entry.leaving === undefined) continue;
      const word = "backend" in entry ? S.S_SERVER : entry.isFrontend ? S.S_FRONTEND : S.S_BACKEND;
      const now = [...this.sessionsWith(word, entry.index).keys()];
      const newcomer = now.find((session) => !before.has(session));
      must(newcomer === undefined, `session ${newcomer} has come to ${entry.name}, which leaves`);
    }
  }

  /** To be called when policies have had their turn. */
  checkOverdue(): void {
    for (const server of this.rig.proxies.flatMap(({ servers }) => servers)) {
      const key = keyOfEntry(server);
      const endsMs = this.model.maintenanceEndsMs.get(key) ?? Number.POSITIVE_INFINITY;
      if (server.leaving !== undefined || this.evicted.has(key) || endsMs > this.rig.world.now) continue;
      const left = this.sessionsWith(S.S_SERVER, server.index).size;
      must(left === 0, `${key} is in maintenance, on-maint ends its sessions, and ${left} are left`);
    }
    for (const server of this.rig.proxies.flatMap(({ servers }) => servers)) {
      if (server.leaving === undefined) continue;
      const removal = this.model.leavingServers.get(keyOfEntry(server));
      const late = removal !== undefined && removal.endsMs < this.rig.world.now;
      const left = this.sessionsWith(S.S_SERVER, server.index).size;
      must(!late || left === 0, `${left} sessions are on ${keyOfEntry(server)}, whose time is over`);
    }
    for (const proxy of this.rig.proxies) {
      const removal = this.model.leavingSections.get(sectionOf(proxy));
      if (proxy.leaving === undefined || removal === undefined) continue;
      const left = this.sessionsWith(proxy.isFrontend ? S.S_FRONTEND : S.S_BACKEND, proxy.index).size;
      must(
        removal.endsMs >= this.rig.world.now || left === 0,
        `${left} sessions are in ${proxy.name}, whose time is over`,
      );
    }
  }

  private noteUpstream(row: number): void {
    const { sessions } = this.rig.memory;
    const base = row * S.SESSION_WORDS;
    if (sessions[base + S.S_STATE] !== S.SessionState.ESTABLISHED) return;
    const client = this.rig.world.socket(sessions[base + S.S_CLIENT_FD]);
    this.upstreams.set(client.id, this.rig.world.socket(sessions[base + S.S_SERVER_FD]));
  }

  private readRecord(word: number): void {
    const { rig } = this;
    const ring = rig.memory.ringsI32;
    const address = ring[word + S.S_CLIENT_ADDR] >>> 16;
    const client = rig.world.clients[((address & 255) << 8) + (address >>> 8) - 20_000];
    must(client !== undefined && client.closed !== "no", "a record names no client whose session ended");
    const cause = ring[word + S.S_END_CAUSE];
    must(!NEVER.has(cause), `client ${client.id} was ended for want of resources, or by a defect`);
    if (BY_ORDER.has(cause)) {
      must(this.mayBeEnded(client.id, word), `client ${client.id} was ended by nobody's order`);
      return;
    }
    if (ring[word + S.S_END_PHASE] !== EndPhase.DATA) return;
    const upstream = this.upstreams.get(client.id);
    const acted = [client, upstream].some((peer) => peer?.peerFin || peer?.peerGone || peer?.dead);
    must(
      acted && !TIMEOUTS.has(cause),
      `client ${client.id} ended (${String.fromCharCode(cause)}), and neither side has`,
    );
  }

  /** By an operator, or because what it is on, or came in by, was removed and its time is over. */
  private mayBeEnded(client: number, word: number): boolean {
    const { rig, model } = this;
    if (this.excused.has(client)) return true;
    const ring = rig.memory.ringsI32;
    const server = rig.registry.serversByIndex[ring[word + S.S_SERVER]];
    const isDue = (removal: { readonly endsMs: number } | undefined): boolean =>
      removal !== undefined && removal.endsMs <= rig.world.now;
    if (server !== undefined) {
      const key = keyOfEntry(server);
      if (this.evicted.has(key) || model.everMaintained.has(key) || isDue(model.leavingServers.get(key))) return true;
    }
    const proxies = [S.S_FRONTEND, S.S_BACKEND].map((side) => rig.registry.proxiesByIndex[ring[word + side]]);
    return proxies.some((proxy) => proxy !== undefined && isDue(model.leavingSections.get(sectionOf(proxy))));
  }
}
