// One turn of a relay thread: wait, then handle what came. Orders come before everything: they are looked for between any
// two events (guarantee G7).

import { CT_BUSY_MS, CT_IDLE_MS, CT_PIPES_FREE, CT_PIPES_USED, CT_TURN_MS_MAX } from "../memory/counters.ts";
import { D_FLAGS, DF_READY } from "../memory/session-row.ts";
import { EINTR } from "../sys/constants.ts";
import { applyOrders } from "./apply-order.ts";
import { dispatchEvent } from "./engine/epoll.ts";
import { takeGrants } from "./queue.ts";
import { type Relay, WAKE_TAG } from "./relay.ts";
import { takeHandedOver } from "./session/accept.ts";
import { resumeListeners } from "./session/admit.ts";
import { takeGrant } from "./session/pick-server.ts";
import { forward } from "./session/relay.ts";

/** Handles everything that is there; waits for it at most `maxWaitMs` (-1: without end). */
export function runTurn(relay: Relay, maxWaitMs: number): void {
  const { kernel, counters } = relay;
  const timeout = waitTime(relay, maxWaitMs);
  // The second look at the clock is only for Idle_pct and the longest turn, and only taken when the thread may sleep.
  const started = relay.now;
  if (timeout !== 0) kernel.readClock();
  const before = kernel.clock[0];
  const count = kernel.wait(relay.poll, timeout);
  kernel.readClock();
  relay.now = kernel.clock[0];
  const own = relay.ownCounters;
  const busy = timeout === 0 ? relay.now - started : before - started;
  counters[own + CT_BUSY_MS] += busy;
  if (busy > counters[own + CT_TURN_MS_MAX]) counters[own + CT_TURN_MS_MAX] = busy;
  if (timeout !== 0) counters[own + CT_IDLE_MS] += relay.now - before;
  if (count < 0 && count !== -EINTR)
    throw new Error(`relay ${relay.thread}: waiting for events failed (errno ${-count})`);
  for (let i = 0; i < count; i++) {
    obey(relay);
    if (kernel.eventLow(i) === WAKE_TAG && kernel.eventHigh(i) === 0) {
      kernel.takeWake(relay.wakeFd);
      // A wake-up may mean that a frontend, or the process, has room again.
      relay.listenersWaiting = true;
    } else dispatchEvent(relay, i);
  }
  obey(relay);
  takeHandedOver(relay);
  relay.wheel.advance(relay.onTimer);
  continueReady(relay);
  // Last, because all of the above may end sessions and so grant their slots to others of this thread, which wakes nobody.
  takeGrants(relay, takeGrant);
  if (relay.acceptPausedUntil !== 0 && relay.now >= relay.acceptPausedUntil) {
    relay.acceptPausedUntil = 0;
    relay.listenersWaiting = true;
  }
  if (relay.listenersWaiting) resumeListeners(relay);
  counters[own + CT_PIPES_USED] = relay.pipes.used;
  counters[own + CT_PIPES_FREE] = relay.pipes.spare;
}

/** A plain load: what it may miss by a moment, the next look finds, and `applyOrders` reads it again in order. */
function obey(relay: Relay): void {
  if (relay.words[relay.orderWord] !== relay.seenOrders) applyOrders(relay);
}

/** Lets each direction that can go on have one turn. */
function continueReady(relay: Relay): void {
  for (let left = relay.ready.size; left > 0; left--) {
    obey(relay);
    const d = relay.ready.shift();
    if ((relay.sessions[d + D_FLAGS] & DF_READY) === 0) continue;
    relay.sessions[d + D_FLAGS] &= ~DF_READY;
    forward(relay, d);
  }
}

function waitTime(relay: Relay, maxWaitMs: number): number {
  if (relay.ready.size > 0) return 0;
  let wait = relay.wheel.waitMs();
  if (relay.acceptPausedUntil !== 0) {
    const pause = Math.max(0, Math.ceil(relay.acceptPausedUntil - relay.now));
    wait = wait < 0 ? pause : Math.min(wait, pause);
  }
  if (maxWaitMs >= 0) wait = wait < 0 ? maxWaitMs : Math.min(wait, maxWaitMs);
  return wait;
}
