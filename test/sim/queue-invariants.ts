// What must hold of queues: lengths and links, the order of arrival, and that nobody loses his place or overtakes.

import {
  BalanceCode,
  P_BALANCE,
  P_QUEUE_HEAD,
  P_QUEUE_LENGTH,
  P_QUEUE_TAIL,
  P_TICKET,
  PROXY_WORDS,
} from "../../src/memory/proxy-row.ts";
import { SERVER_WORDS, V_QUEUE_HEAD, V_QUEUE_LENGTH, V_QUEUE_TAIL, V_USABLE } from "../../src/memory/server-row.ts";
import * as S from "../../src/memory/session-row.ts";
import { must, mustEqual, type Rig } from "./invariants.ts";
import type { SimRig } from "./sim-rig.ts";

const { QueueState } = S;

/** Lengths, links and order of arrival of the backends' queues. `waiting`: rows that say they wait; emptied. */
export function checkQueues(rig: Rig, waiting: Set<number>): void {
  const { proxiesI32, serversI32, servers } = rig.memory;
  for (const { index, isBackend } of rig.proxies) {
    if (!isBackend) continue;
    const proxy = index * PROXY_WORDS;
    chain(rig, proxiesI32, proxy + P_QUEUE_LENGTH, proxy + P_QUEUE_HEAD, proxy + P_QUEUE_TAIL, -1, waiting);
  }
  for (let server = 0; server < servers; server++) {
    const row = server * SERVER_WORDS;
    chain(rig, serversI32, row + V_QUEUE_LENGTH, row + V_QUEUE_HEAD, row + V_QUEUE_TAIL, server, waiting);
  }
  must(waiting.size === 0, `rows ${[...waiting].join()} wait in a queue that does not hold them`);
}

function chain(
  rig: Rig,
  table: Int32Array,
  length: number,
  head: number,
  tail: number,
  server: number,
  waiting: Set<number>,
): void {
  const { sessions } = rig.memory;
  const name = server < 0 ? "the backend's queue" : `the queue of server ${server}`;
  if (table[length] === 0) return;
  let row = table[head];
  let previous = -1;
  let ticket = -1;
  for (let i = 0; i < table[length]; i++) {
    must(row >= 0 && waiting.delete(row), `row ${row} stands in ${name} but does not wait`);
    const base = row * S.SESSION_WORDS;
    mustEqual(sessions[base + S.S_QUEUE_PREV], previous, `back link of row ${row} in ${name}`);
    mustEqual(sessions[base + S.S_QUEUE_SERVER], server, `server that row ${row} in ${name} waits for`);
    must(sessions[base + S.S_QUEUE_TICKET] > ticket, `${name} is not in order of arrival at row ${row}`);
    ticket = sessions[base + S.S_QUEUE_TICKET];
    previous = row;
    row = sessions[base + S.S_QUEUE_NEXT];
  }
  mustEqual(row, -1, `link of the last row in ${name}`);
  mustEqual(table[tail], previous, `tail of ${name}`);
}

/** A row that stood in a queue, or was granted a slot, at the last look. */
interface Place {
  readonly generation: number;
  readonly ticket: number;
  readonly isWaiting: boolean;
  /** Attempts to connect: more of them means that it was served in the meantime, and lost to that server. */
  readonly retries: number;
}

interface LastLook {
  readonly places: ReadonlyMap<number, Place>;
  readonly nextTicket: number;
  readonly usable: readonly boolean[];
}

const lastLooks = new WeakMap<SimRig, LastLook>();

/** Between two looks: who waited keeps his number, and of those who wait for any server none is overtaken. */
export function checkTurns(rig: SimRig, rowsInUse: readonly number[]): void {
  const { sessions, proxiesI32, serversI32, servers } = rig.memory;
  const proxy = rig.backend.index * PROXY_WORDS;
  const usable = Array.from({ length: servers }, (_, server) => serversI32[server * SERVER_WORDS + V_USABLE] === 1);
  const places = new Map<number, Place>();
  const before = lastLooks.get(rig);
  let firstTicket = Number.POSITIVE_INFINITY;
  for (const row of rowsInUse) {
    const base = row * S.SESSION_WORDS;
    if (sessions[base + S.S_QUEUE_STATE] === QueueState.NONE) continue;
    const place: Place = {
      generation: sessions[base + S.S_GENERATION],
      ticket: sessions[base + S.S_QUEUE_TICKET],
      isWaiting: sessions[base + S.S_QUEUE_STATE] === QueueState.WAITING,
      retries: sessions[base + S.S_RETRIES],
    };
    places.set(row, place);
    const was = before?.places.get(row);
    if (was === undefined || was.generation !== place.generation || was.retries !== place.retries) continue;
    mustEqual(place.ticket, was.ticket, `number of row ${row}, which has waited all the time,`);
    if (was.isWaiting && place.isWaiting) firstTicket = Math.min(firstTicket, place.ticket);
  }
  lastLooks.set(rig, { places, nextTicket: proxiesI32[proxy + P_TICKET], usable });
  // With a hash everybody waits for a server of his own. Where a server was lost, grants were taken back: who was granted
  // another one meanwhile is before those that returned, and rightly.
  const isOneLine = proxiesI32[proxy + P_BALANCE] !== BalanceCode.source;
  if (before === undefined || !isOneLine || before.usable.some((was, server) => was && !usable[server])) return;
  for (const row of rowsInUse) {
    const base = row * S.SESSION_WORDS;
    const isServed = sessions[base + S.S_QUEUE_STATE] === QueueState.GRANTED || sessions[base + S.S_SERVER] >= 0;
    const ticket = sessions[base + S.S_QUEUE_TICKET];
    const since = before.places.get(row)?.isWaiting === true || ticket >= before.nextTicket;
    must(!isServed || !since || ticket <= firstTicket, `row ${row} overtook number ${firstTicket} in the queue`);
  }
}
