// Rates per second of everything that is counted: the process, each frontend, backend and server. Samples shared memory once a
// second on the control thread; what is never sampled costs relays nothing.

import {
  CB_SESSIONS,
  CF_CONNECTIONS,
  CF_SESSIONS,
  CS_SESSIONS,
  CT_BYTES_OUT,
  CT_CONNECTIONS,
} from "../../memory/counters.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../registry.ts";
import { Frequency } from "./frequency.ts";
import { idleAndBusyMs, sumProxy, sumServer, sumThreads } from "./sums.ts";

const PERIOD_MS = 1000;

/** Rate now and its maximum. */
export interface Rate {
  readonly now: number;
  readonly max: number;
}

interface ProxyFrequencies {
  readonly connections: Frequency;
  readonly frontSessions: Frequency;
  readonly backSessions: Frequency;
}

export class TrafficRates {
  readonly #memory: SharedMemory;
  readonly #registry: Registry;
  /** Control connections so far, which count as the process's connections. */
  readonly #controlTotal: () => number;
  readonly #nowMs: () => number;
  readonly #connections: Frequency;
  readonly #sessions: Frequency;
  readonly #bytesOut: Frequency;
  readonly #proxies = new WeakMap<ProxyEntry, ProxyFrequencies>();
  readonly #servers = new WeakMap<ServerEntry, Frequency>();
  #periodStartMs: number;
  #idle = { idleMs: 0, busyMs: 0 };
  #idlePercent = 100;

  constructor(memory: SharedMemory, registry: Registry, controlTotal: () => number, nowMs: () => number) {
    this.#memory = memory;
    this.#registry = registry;
    this.#controlTotal = controlTotal;
    this.#nowMs = nowMs;
    this.#periodStartMs = nowMs();
    this.#connections = new Frequency(this.#connectionTotal());
    this.#sessions = new Frequency(this.#connectionTotal());
    this.#bytesOut = new Frequency(sumThreads(memory, CT_BYTES_OUT));
  }

  /** Starts sampling. The timer keeps no process alive. */
  start(): void {
    setInterval(() => this.tick(), PERIOD_MS).unref();
  }

  /** Ends a period of a second. */
  tick(): void {
    this.#periodStartMs = this.#nowMs();
    this.#connections.tick(this.#connectionTotal());
    this.#sessions.tick(this.#connectionTotal());
    this.#bytesOut.tick(sumThreads(this.#memory, CT_BYTES_OUT));
    for (const proxy of this.#registry.proxies) {
      const frequencies = this.#proxy(proxy);
      frequencies.connections.tick(sumProxy(this.#memory, proxy.index, CF_CONNECTIONS));
      frequencies.frontSessions.tick(sumProxy(this.#memory, proxy.index, CF_SESSIONS));
      frequencies.backSessions.tick(sumProxy(this.#memory, proxy.index, CB_SESSIONS));
      for (const server of proxy.servers) this.#server(server).tick(this.#serverSessions(server));
    }
    const now = idleAndBusyMs(this.#memory);
    const idleMs = now.idleMs - this.#idle.idleMs;
    const spentMs = idleMs + now.busyMs - this.#idle.busyMs;
    if (spentMs > 0) this.#idlePercent = Math.max(0, Math.min(100, Math.round((100 * idleMs) / spentMs)));
    this.#idle = now;
  }

  /** Percent of the last second that the relay threads waited, over all of them. */
  get idlePercent(): number {
    return this.#idlePercent;
  }

  connections(): Rate {
    return this.#rate(this.#connections, this.#connectionTotal());
  }

  sessions(): Rate {
    return this.#rate(this.#sessions, this.#connectionTotal());
  }

  bytesOut(): number {
    return this.#rate(this.#bytesOut, sumThreads(this.#memory, CT_BYTES_OUT)).now;
  }

  /** Connections and sessions a second of a frontend. */
  frontend(proxy: ProxyEntry): { readonly connections: Rate; readonly sessions: Rate } {
    const { connections, frontSessions } = this.#proxy(proxy);
    return {
      connections: this.#rate(connections, sumProxy(this.#memory, proxy.index, CF_CONNECTIONS)),
      sessions: this.#rate(frontSessions, sumProxy(this.#memory, proxy.index, CF_SESSIONS)),
    };
  }

  backend(proxy: ProxyEntry): Rate {
    return this.#rate(this.#proxy(proxy).backSessions, sumProxy(this.#memory, proxy.index, CB_SESSIONS));
  }

  server(server: ServerEntry): Rate {
    return this.#rate(this.#server(server), this.#serverSessions(server));
  }

  /** `clear counters`: the maxima kept here go with those that `commit` clears in shared memory. */
  clearMaxima(): void {
    for (const frequency of [this.#connections, this.#sessions, this.#bytesOut]) frequency.clearMax();
    for (const proxy of this.#registry.proxies) {
      const { connections, frontSessions, backSessions } = this.#proxy(proxy);
      for (const frequency of [connections, frontSessions, backSessions]) frequency.clearMax();
      for (const server of proxy.servers) this.#server(server).clearMax();
    }
  }

  #rate(frequency: Frequency, total: number): Rate {
    const elapsed = Math.min(1, Math.max(0, (this.#nowMs() - this.#periodStartMs) / PERIOD_MS));
    return { now: frequency.rate(total, elapsed), max: frequency.max(total, elapsed) };
  }

  #connectionTotal(): number {
    return sumThreads(this.#memory, CT_CONNECTIONS) + this.#controlTotal();
  }

  #serverSessions(server: ServerEntry): number {
    return sumServer(this.#memory, server.index, CS_SESSIONS);
  }

  #proxy(proxy: ProxyEntry): ProxyFrequencies {
    let found = this.#proxies.get(proxy);
    if (found === undefined) {
      found = { connections: new Frequency(), frontSessions: new Frequency(), backSessions: new Frequency() };
      this.#proxies.set(proxy, found);
    }
    return found;
  }

  #server(server: ServerEntry): Frequency {
    let found = this.#servers.get(server);
    if (found === undefined) {
      found = new Frequency();
      this.#servers.set(server, found);
    }
    return found;
  }
}
