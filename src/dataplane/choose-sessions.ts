// Which of a server's sessions on this thread a paced cut ends: at random, the oldest, or those that have been quiet longest.

import { nextRandom } from "../balance/random.ts";
import { CutChoice, type CutManner } from "../memory/order.ts";
import { bytesHeld, lastActiveMs } from "../memory/selector.ts";
import {
  D_FLAGS,
  DF_EOF,
  S_ACCEPT_F64,
  S_CLIENT_FD,
  S_DOWN,
  S_SERVER_FD,
  S_SERVER_NEXT,
  S_UP,
} from "../memory/session-row.ts";
import { EAGAIN } from "../sys/constants.ts";
import { type Relay, rowBase, rowBaseF64 } from "./relay.ts";
import { unacknowledgedBytes } from "./session/timeouts.ts";

/**
 * At most `most` rows of the server's list. Whether a session is quiet costs questions to the kernel, so no more of them
 * are asked than needed: thousands of idle sessions may end one by one beside traffic.
 */
export function chooseSessions(
  relay: Relay,
  { server, most, choice, idleMs }: CutManner & { readonly server: number; readonly most: number },
): number[] {
  const rows: number[] = [];
  for (let row = relay.serverSessions[server]; row >= 0; row = relay.sessions[rowBase(row) + S_SERVER_NEXT]) {
    rows.push(row);
  }
  if (idleMs === 0 && rows.length <= most) return rows;
  if (choice !== CutChoice.RANDOM) sortBySince(relay, rows, choice);
  const chosen: number[] = [];
  for (let place = 0; place < rows.length && chosen.length < most; place++) {
    if (choice === CutChoice.RANDOM) drawTo(relay, rows, place);
    if (idleMs === 0 || isQuiet(relay, rows[place], idleMs)) chosen.push(rows[place]);
  }
  return chosen;
}

function sortBySince({ sessionsF64 }: Relay, rows: number[], choice: CutChoice): void {
  const since = (row: number): number =>
    choice === CutChoice.OLDEST
      ? sessionsF64[rowBaseF64(row) + S_ACCEPT_F64]
      : lastActiveMs(sessionsF64, rowBaseF64(row));
  rows.sort((a, b) => since(a) - since(b));
}

/** One step of a shuffle: puts one of the rows from `place` on there, each with the same chance. */
function drawTo(relay: Relay, rows: number[], place: number): void {
  relay.balance.random = nextRandom(relay.balance.random);
  const other = place + ((relay.balance.random >>> 0) % (rows.length - place));
  const row = rows[other];
  rows[other] = rows[place];
  rows[place] = row;
}

/**
 * No byte has moved for so long, and none is anywhere between the client and the server: not in our buffers, not unread in a
 * socket, and none that the server has not acknowledged. What is on its way to the client gets there, because that end is orderly.
 */
export function isQuiet(relay: Relay, row: number, idleMs: number): boolean {
  const base = rowBase(row);
  if (relay.now - lastActiveMs(relay.sessionsF64, rowBaseF64(row)) < idleMs) return false;
  if (bytesHeld(relay.sessions, base) > 0) return false;
  const serverFd = relay.sessions[base + S_SERVER_FD];
  if (serverFd >= 0 && unacknowledgedBytes(relay, base) > 0) return false;
  return (
    hasNothingUnread(relay, relay.sessions[base + S_CLIENT_FD], relay.sessions[base + S_UP + D_FLAGS]) &&
    hasNothingUnread(relay, serverFd, relay.sessions[base + S_DOWN + D_FLAGS])
  );
}

/** `flags`: of the direction that reads from it. An end that was not read yet is news too. */
function hasNothingUnread(relay: Relay, fd: number, flags: number): boolean {
  if (fd < 0) return true;
  const waiting = relay.kernel.peek(fd);
  return waiting === 0 ? (flags & DF_EOF) !== 0 : waiting === -EAGAIN;
}
