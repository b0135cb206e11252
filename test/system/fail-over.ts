// One fail-over from a server to another and what must hold of every one, whatever the servers are: no session is left on the old
// server once the balancer says that it is down, it acknowledges no write after that, and clients are back at the next one.

import { expect } from "vitest";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { waitFor } from "../harness/wait-for.ts";
import type { Journal } from "./reconnecting.ts";
import { type Look, Watch, type WatchedServer } from "./watch.ts";

const SECOND_MS = 1000;
/** What decides how long a failure takes, not whether a test passes. */
const BOUND_MS = 60_000;
const POLL_MS = 20;

export interface FailOver {
  readonly program: Program;
  readonly proxy: string;
  readonly old: WatchedServer;
  readonly next: WatchedServer;
  readonly writers: readonly Journal[];
  /** Whether a server is one that checks should find up: asked of itself, past the balancer. */
  leads(server: WatchedServer): Promise<boolean>;
  provoke(): Promise<unknown>;
  /** Runs when the old server is cut; `back` resolves when all clients are at the next one. */
  afterCut?(back: () => Promise<void>): Promise<void>;
  /** Whether clients that are not among `writers` are at the next server, too. */
  othersBack?(): boolean;
  /** The most that the configured checks need to see a server down and up, in milliseconds. */
  readonly downMs: number;
  readonly upMs: number;
}

export const endpointOf = (server: Pick<WatchedServer, "address" | "port">): string =>
  `${server.address}:${server.port}`;

/** One of the servers, as the program is told of it. */
export interface CheckedServer extends WatchedServer {
  /** Checks come here, so that the kernel's table tells them from sessions. */
  readonly checkAddress: string;
}

/** `server` line of one that is checked. */
export const serverLine = (server: CheckedServer, words = ""): string =>
  `server ${server.name} ${endpointOf(server)} check addr ${server.checkAddress} ${words}`;

/** The program with one `listen` section of the given name and lines, and where clients reach it. */
export async function startBefore(
  name: string,
  checkTimeoutMs: number,
  lines: readonly string[],
): Promise<{ readonly program: Program; readonly target: { readonly host: string; readonly port: number } }> {
  const target = { host: FRONTEND_ADDRESS, port: await freePort() };
  const program = await Program.start({
    config: `
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 1s
    timeout check ${checkTimeoutMs}ms
listen ${name}
    bind ${target.host}:${target.port}
    ${lines.join("\n    ")}
`,
  });
  return { program, target };
}

/** When the old server stopped leading and the next one began, as far as frequent questions tell. */
class Leadership {
  /** It leads when this begins. */
  oldUntil = Date.now();
  nextSince = 0;
  #stopped = false;
  readonly #done: Promise<unknown>;

  constructor({ leads, old, next }: FailOver) {
    const poll = async (server: WatchedServer, seen: () => void) => {
      while (!this.#stopped) {
        if (await leads(server)) seen();
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    };
    this.#done = Promise.all([
      poll(old, () => {
        this.oldUntil = Date.now();
      }),
      poll(next, () => {
        this.nextSince ||= Date.now();
      }),
    ]);
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }
}

/** Waits until every writer has written at `server` since `since`; resolves with the moment of the last one's first write. */
export async function allWriteAt(server: WatchedServer, writers: readonly Journal[], since: number): Promise<number> {
  const there = endpointOf(server);
  // From the newest backwards: journals grow long.
  const first = ({ journal }: Journal): number | undefined => {
    let at: number | undefined;
    for (let i = journal.length - 1; i >= 0 && journal[i]!.at > since; i--) {
      if (journal[i]!.server === there) at = journal[i]!.at;
    }
    return at;
  };
  return waitFor(
    () => {
      const firsts = writers.map(first).filter((at) => at !== undefined);
      return firsts.length === writers.length ? Math.max(...firsts) : undefined;
    },
    () => `all writers at ${there}: ${writers.map(({ journal }) => JSON.stringify(journal.at(-1)))}`,
    BOUND_MS,
  );
}

/** Provokes the fail-over, waits until it is over and checks it; gives what was measured, for people. */
export async function failOver(plan: FailOver): Promise<string> {
  const { program, proxy, old, next, writers } = plan;
  const refusedSoFar = () => writers.reduce((sum, { refused }) => sum + refused, 0);
  const refusedBefore = refusedSoFar();
  const leadership = new Leadership(plan);
  const watch = new Watch(program, proxy, old, next);
  try {
    const begin = Date.now();
    await plan.provoke();
    const down = await watch.down(BOUND_MS);
    let backAt = 0;
    const back = async () => {
      backAt = await allWriteAt(next, writers, begin);
      await waitFor(() => plan.othersBack?.() ?? true, "the other clients to be back", BOUND_MS);
    };
    if (plan.afterCut) await plan.afterCut(back);
    else await back();
    const up = await watch.up(BOUND_MS);
    await Promise.all([watch.close(), leadership.close()]);
    nothingLeft(plan, watch, down);

    const lastOld = Math.max(
      ...writers.map(({ journal }) => journal.findLast(({ server }) => server === endpointOf(old))?.at ?? 0),
    );
    const downMs = down.at - leadership.oldUntil;
    const upMs = up.at - leadership.nextSince;
    const backMs = Math.round(backAt - Math.max(down.at, up.at));
    // A machine that is slow is given the time for which it held up the test itself.
    const slackMs = SECOND_MS + 2 * watch.stallMs;
    expect(downMs, "from its end to the balancer's verdict").toBeLessThan(plan.downMs + slackMs);
    expect(upMs, "from the next one's begin to the balancer's verdict").toBeLessThan(plan.upMs + slackMs);
    expect(backMs, "from the verdicts to every client's first write").toBeLessThan(slackMs);
    return (
      `seen down ${downMs} ms after its end, the next one up ${upMs} ms after its begin, all clients back ${backMs} ms after both; ` +
      `${Math.round(backAt - lastOld)} ms without a write, ${refusedSoFar() - refusedBefore} refused (stalls: ${Math.round(watch.stallMs)} ms)`
    );
  } finally {
    await Promise.all([watch.close(), leadership.close()]);
  }
}

function nothingLeft({ old, writers }: FailOver, watch: Watch, down: Look): void {
  expect(watch.leftAfter(down), "connections to the old server at or after DOWN").toEqual([]);
  // A server's clock counts microseconds, the look's milliseconds.
  const late = writers.flatMap(({ journal }) =>
    journal.filter(({ server, at }) => server === endpointOf(old) && at >= down.at + 1),
  );
  expect(late, "writes that the old server acknowledged after DOWN").toEqual([]);
}
