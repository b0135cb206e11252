// `evict ... dry-run`: who would be cut, and what the others would have to take. Changes nothing.

import { formatHost } from "../base/address.ts";
import type { Program } from "../control/program.ts";
import { type CountByState, noneByState } from "../control/reconcile/eviction.ts";
import { STATE_NAMES } from "../control/reconcile/population.ts";
import type { ServerEntry } from "../control/registry.ts";
import { bytesMoved, EVERY_SESSION, lastActiveMs, type Selector } from "../memory/selector.ts";
import { SERVER_WORDS, V_ATTACHED, V_QUEUE_LENGTH, V_USABLE, V_WEIGHT } from "../memory/server-row.ts";
import { phaseOf } from "../memory/session-phase.ts";
import { S_ACCEPT_F64, S_CLIENT_ADDR } from "../memory/session-row.ts";
import { byStateText } from "./eviction-receipt.ts";
import { shownId } from "./session-lines.ts";
import { forSelected } from "./session-rows.ts";

/** Clients by address: so many are listed. */
const CLIENTS_LISTED = 20;

const IDLE_BUCKETS = [
  ["under200ms", 200],
  ["under1s", 1000],
  ["under10s", 10_000],
  ["under1m", 60_000],
  ["under10m", 600_000],
  ["longer", Number.POSITIVE_INFINITY],
] as const;

interface Named {
  readonly id: string;
  readonly client: string;
}

export interface EvictionForecast {
  /** Null for sessions, which have `filter` instead. */
  readonly server: string | null;
  readonly filter: string | null;
  readonly dryRun: true;
  readonly matched: number;
  readonly byState: CountByState;
  /** Null without sessions. */
  readonly oldest: (Named & { readonly ageMs: number }) | null;
  readonly busiest: (Named & { readonly bytes: number }) | null;
  /** The most frequent first; how many addresses there are. */
  readonly clients: readonly { readonly address: string; readonly sessions: number }[];
  readonly clientAddresses: number;
  /** Sessions by the time since a byte moved. */
  readonly idle: Readonly<Record<string, number>>;
  /** For a server, usable ones of its backend: sessions now, and if all came back, by weight. */
  readonly others: readonly { readonly server: string; readonly sessions: number; readonly after: number }[];
}

/** Who would be evicted: a server's sessions and those that wait for it, or those that a filter selects. */
export type EvictionTarget =
  | { readonly server: ServerEntry; readonly selector?: undefined }
  | { readonly server?: undefined; readonly selector: Selector; readonly filter: string };

/** Looks at the sessions as they are now. */
export async function forecast(program: Program, target: EvictionTarget): Promise<EvictionForecast> {
  const { server } = target;
  const byState = noneByState();
  if (server !== undefined) byState.queued = queuedFor(program, server);
  const idle: Record<string, number> = Object.fromEntries(IDLE_BUCKETS.map(([name]) => [name, 0]));
  const clients = new Map<string, number>();
  let oldest: EvictionForecast["oldest"] = null;
  let busiest: EvictionForecast["busiest"] = null;
  let matched = byState.queued;
  const selector = server === undefined ? target.selector : { ...EVERY_SESSION, server: server.index };
  await forSelected(program, selector, ({ reader, nowMs }) => {
    const { words, f64 } = reader;
    matched++;
    byState[STATE_NAMES[phaseOf(words, 0)] ?? "established"]++;
    const idleMs = nowMs - lastActiveMs(f64, 0);
    const [bucket] = IDLE_BUCKETS.find(([, under]) => idleMs < under) ?? IDLE_BUCKETS[0];
    idle[bucket] = (idle[bucket] ?? 0) + 1;
    const client = formatHost(words, S_CLIENT_ADDR) ?? "unix";
    clients.set(client, (clients.get(client) ?? 0) + 1);
    const id = shownId(reader.id);
    const ageMs = Math.round(nowMs - f64[S_ACCEPT_F64]);
    if (oldest === null || ageMs > oldest.ageMs) oldest = { id, client, ageMs };
    const bytes = bytesMoved(f64, 0);
    if (busiest === null || bytes > busiest.bytes) busiest = { id, client, bytes };
  });
  const sorted = [...clients].sort(([, a], [, b]) => b - a);
  return {
    server: server === undefined ? null : `${server.backend.name}/${server.name}`,
    filter: server === undefined ? target.filter : null,
    dryRun: true,
    matched,
    byState,
    oldest,
    busiest,
    clients: sorted.slice(0, CLIENTS_LISTED).map(([address, sessions]) => ({ address, sessions })),
    clientAddresses: clients.size,
    idle,
    others: server === undefined ? [] : othersAfter(program, server, matched),
  };
}

const queuedFor = ({ memory }: Program, { index }: ServerEntry): number =>
  Atomics.load(memory.serversI32, index * SERVER_WORDS + V_QUEUE_LENGTH);

function othersAfter(program: Program, server: ServerEntry, matched: number): EvictionForecast["others"] {
  const table = program.memory.serversI32;
  const word = (other: ServerEntry, offset: number): number => Atomics.load(table, other.index * SERVER_WORDS + offset);
  const usable = server.backend.servers.filter((other) => other !== server && word(other, V_USABLE) === 1);
  const active = usable.filter((other) => !other.config.backup);
  const others = active.length > 0 ? active : usable;
  const weights = others.reduce((sum, other) => sum + word(other, V_WEIGHT), 0);
  return others.map((other) => {
    const sessions = word(other, V_ATTACHED);
    const share = weights === 0 ? 0 : (matched * word(other, V_WEIGHT)) / weights;
    return { server: `${other.backend.name}/${other.name}`, sessions, after: Math.round(sessions + share) };
  });
}

/** For people; each line with its line feed. */
export function forecastText(forecast: EvictionForecast): string {
  const line = (name: string, text: string): string => `  ${`${name}:`.padEnd(12)}${text}\n`;
  const { oldest, busiest } = forecast;
  const more = forecast.clientAddresses - forecast.clients.length;
  return [
    `Dry run of an eviction of ${forecast.server ?? `sessions ${forecast.filter}`}: nothing was changed.\n`,
    line("sessions", `${forecast.matched} (${byStateText(forecast.byState)})`),
    oldest === null ? "" : line("oldest", `${oldest.id} from ${oldest.client}, ${Math.round(oldest.ageMs / 1000)}s`),
    busiest === null ? "" : line("busiest", `${busiest.id} from ${busiest.client}, ${busiest.bytes} bytes`),
    line(
      "idle",
      Object.entries(forecast.idle)
        .map(([name, count]) => `${name} ${count}`)
        .join(", "),
    ),
    ...forecast.clients.map(({ address, sessions }) => line("client", `${address} ${sessions}`)),
    more > 0 ? line("client", `and ${more} more addresses`) : "",
    ...forecast.others.map(({ server, sessions, after }) =>
      line("other", `${server} has ${sessions}, would have ${after}`),
    ),
    forecast.others.length === 0 && forecast.server !== null
      ? line("other", "no other server is usable: clients that come back are refused")
      : "",
  ].join("");
}
