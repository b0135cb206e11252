// Looks at two servers through the balancer's `show stat` and through the kernel, again and again while a fail-over happens. What
// the kernel holds is read in the turn in which the answer's first byte comes, so that nothing lies between the two.

import { type KernelSocket, socketsHeldTo, survivingConnections } from "../harness/kernel-sockets.ts";
import type { Program } from "../harness/program.ts";
import { parseStat, statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";

const PERIOD_MS = 20;

/** A server as the balancer knows it. */
export interface WatchedServer {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

export interface Look {
  /** Date.now() when the answer came. */
  readonly at: number;
  readonly oldStatus: string;
  readonly nextStatus: string;
  /** Connections of the balancer to the old server that a cut must not leave. */
  readonly toOld: readonly KernelSocket[];
}

export class Watch {
  readonly looks: Look[] = [];
  /** The longest time that the test itself was held up, in milliseconds: what a slow machine is allowed in addition. */
  stallMs = 0;
  readonly #program: Program;
  readonly #proxy: string;
  readonly #old: WatchedServer;
  readonly #next: WatchedServer;
  /** Local ports of connections to the old server that were seen to be the balancer's. */
  readonly #ports = new Set<number>();
  #stopped = false;
  readonly #done: Promise<void>;
  #failure: unknown;

  constructor(program: Program, proxy: string, old: WatchedServer, next: WatchedServer) {
    this.#program = program;
    this.#proxy = proxy;
    this.#old = old;
    this.#next = next;
    this.#done = this.#run().catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** The first look at which the old server was down. */
  down(boundMs: number): Promise<Look> {
    return this.#first((look) => look.oldStatus.startsWith("DOWN") && !look.oldStatus.includes("/"), boundMs);
  }

  /** The first look at which the next server was up. */
  up(boundMs: number): Promise<Look> {
    return this.#first((look) => look.nextStatus === "UP", boundMs);
  }

  /** Looks from `look` on that found a connection to the old server. */
  leftAfter(look: Look): Look[] {
    return this.looks.slice(this.looks.indexOf(look)).filter(({ toOld }) => toOld.length > 0);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  #first(wanted: (look: Look) => boolean, boundMs: number): Promise<Look> {
    const last = () => JSON.stringify(this.looks.at(-1) ?? null);
    return waitFor(
      () => {
        if (this.#failure !== undefined) throw this.#failure;
        return this.looks.find(wanted);
      },
      () => `the balancer's verdict; last look: ${last()}`,
      boundMs,
    );
  }

  /** A connection without an owner may be that of a killed database agent or of the test: only ports known as ours count. */
  #toOld(): KernelSocket[] {
    const { address, port } = this.#old;
    for (const { localPort } of socketsHeldTo(this.#program.pid, address, port)) this.#ports.add(localPort);
    return survivingConnections(this.#program.pid, address, port).filter(({ localPort }) => this.#ports.has(localPort));
  }

  async #run(): Promise<void> {
    let due = performance.now();
    while (!this.#stopped) {
      let at = 0;
      let toOld: KernelSocket[] = [];
      const text = await this.#program.runtime("show stat", {
        atAnswer: () => {
          toOld = this.#toOld();
          at = Date.now();
        },
      });
      const rows = parseStat(text);
      const status = (server: WatchedServer) => statRow(rows, this.#proxy, server.name).status ?? "";
      this.looks.push({ at, oldStatus: status(this.#old), nextStatus: status(this.#next), toOld });
      await new Promise((resolve) => setTimeout(resolve, PERIOD_MS));
      const now = performance.now();
      this.stallMs = Math.max(this.stallMs, now - due - PERIOD_MS);
      due = now;
    }
  }
}
