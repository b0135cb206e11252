// How many sessions the process may hold: from the configuration, the command line and the limit on file descriptors; and how many relay
// threads it may ever have, because both share the rows.

import { availableParallelism } from "node:os";
import { AppError } from "../base/errors.ts";
import {
  CONTROL_CONNECTIONS_DEFAULT,
  SESSIONS_MAX,
  SPARE_FDS,
  THREAD_SLOTS_LEAST,
  THREADS_MAX,
} from "../base/limits.ts";
import type { Config } from "../config/model.ts";
import { raiseFileLimit } from "../sys/process-limits.ts";

export interface ProcessSize {
  readonly maxconn: number;
  /** Room for sessions: as far as a reload can raise maxconn. */
  readonly room: number;
  /** Relay threads to begin with. */
  readonly threads: number;
  /** Room for relay threads: as far as a reload can raise nbthread. */
  readonly slots: number;
  readonly fileLimit: number;
}

/** Rows are virtual memory until used; but not so much of it that a system which counts it is troubled. */
const ROOM_TIMES = 4;
const ROOM_LEAST = 16_384;

/** Descriptors asked for where no maxconn is set: enough for most, and what the system allows is taken. */
const WANTED_FDS = 1 << 20;

/** Beside that many more threads maxconn can still be doubled. */
const ROOM_TIMES_LEAST = 2;

/** Relay threads where a configuration names none: one for each core. */
export const defaultThreads = (): number => Math.min(availableParallelism(), THREADS_MAX);

/** Sizes the process. Throws AppError "maxconn-too-high" with the numbers, if the asked maxconn cannot be held. */
export function sizeProcess(
  config: Config,
  threads: number,
  commandLineMaxconn?: number,
  raise = raiseFileLimit,
): ProcessSize {
  const wanted = Math.min(THREADS_MAX, Math.max(threads, defaultThreads(), THREAD_SLOTS_LEAST));
  const asked = commandLineMaxconn ?? config.global.maxconn;
  // Where nobody asked, the limit leaves room for all of them.
  const fit = fitMaxconn(config, threads, commandLineMaxconn, raise, asked === undefined ? wanted : threads);
  const { maxconn, fileLimit } = fit;
  const possible = asked === undefined ? wanted : Math.floor(SESSIONS_MAX / (ROOM_TIMES_LEAST * maxconn));
  const slots = Math.max(threads, Math.min(wanted, possible));
  const most = Math.floor(SESSIONS_MAX / slots);
  const room = Math.max(maxconn, Math.min(most, Math.max(ROOM_LEAST, ROOM_TIMES * maxconn)));
  return { maxconn, fileLimit, room, threads, slots };
}

/** The limit of sessions, with the file limit raised for it; `slots` share the rows. Throws as `sizeProcess`. */
export function fitMaxconn(
  config: Config,
  threads: number,
  commandLineMaxconn?: number,
  raise = raiseFileLimit,
  slots = threads,
): Pick<ProcessSize, "maxconn" | "fileLimit"> {
  const listeners = config.proxies.reduce((sum, proxy) => sum + proxy.binds.length, 0);
  // Each check and each agent has a connection while it runs, and all may run at once: where sessions take all descriptors else,
  // servers would be seen down for want of one.
  const checks = config.proxies
    .flatMap((proxy) => proxy.servers)
    .reduce((sum, { health, agent }) => sum + (health === undefined ? 0 : 1) + (agent === undefined ? 0 : 1), 0);
  const { statsSockets, statsMaxconn = CONTROL_CONNECTIONS_DEFAULT } = config.global;
  const stats = statsSockets.length === 0 ? 0 : statsSockets.length * 2 + statsMaxconn;
  // Each relay thread has an epoll, an eventfd and a few of Node's own.
  const others = SPARE_FDS + listeners + checks + stats + threads * 16;
  const asked = commandLineMaxconn ?? config.global.maxconn;
  const rows = Math.floor(SESSIONS_MAX / slots);
  if (asked !== undefined && asked > rows) {
    const fewer = Math.floor(SESSIONS_MAX / asked);
    throw new AppError(
      "maxconn-too-high",
      `maxconn ${asked} is more than ${threads} relay threads can serve: ${rows} (each has a row for every session of the process).`,
      `set maxconn to ${rows} or less${fewer > 0 ? `, or nbthread to ${fewer} or less` : ""}`,
    );
  }
  const needed = asked === undefined ? WANTED_FDS : asked * 2 + others;
  const fileLimit = raise(needed);
  const possible = Math.min(rows, Math.floor((fileLimit - others) / 2));
  if (asked !== undefined && asked > possible) {
    throw new AppError(
      "maxconn-too-high",
      `maxconn ${asked} needs ${needed} file descriptors (2 for each session and ${others} others), but the limit is ${fileLimit}.`,
      `raise the limit (ulimit -n ${needed}, or LimitNOFILE=${needed} in the systemd unit), or set maxconn to ${Math.max(1, possible)} or less`,
    );
  }
  if (possible < 1) {
    throw new AppError(
      "file-limit-too-low",
      `the limit of ${fileLimit} file descriptors leaves none for sessions (${others} others are needed).`,
    );
  }
  return { maxconn: asked ?? possible, fileLimit };
}
