// Entry of a relay thread: attaches the shared memory and turns until told to stop, at the end of the process or, without
// sessions, when a reload asked for fewer threads. The thread blocks in the kernel, so
// Node's own event loop does not run here; orders come through the message port, taken synchronously.

import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { WT_STOP, WT_WAKE_FD } from "../memory/control-words.ts";
import type { Order, RelayMessage, RelayWorkerData } from "../memory/order.ts";
import { attachSharedMemory, threadWords } from "../memory/shared-memory.ts";
import { LinuxKernel } from "../sys/linux-kernel.ts";
import { takeShortTurns } from "../sys/scheduling.ts";
import { applyOrders } from "./apply-order.ts";
import { runTurn } from "./loop.ts";
import { closeRelay, createRelay } from "./relay.ts";
import { onTimer } from "./session/timeouts.ts";

const port = parentPort;
if (port === null) throw new Error("the relay is started as a worker thread");
const { thread, seed, buffers } = workerData as RelayWorkerData;
const memory = attachSharedMemory(buffers);
const tell = (message: RelayMessage): void => port.postMessage(message);

const relay = createRelay(
  new LinuxKernel(),
  memory,
  {
    takeOrder: () => receiveMessageOnPort(port)?.message as Order | undefined,
    acknowledge: (sequence, ended, discardedBytes) => tell({ kind: "acknowledge", sequence, ended, discardedBytes }),
    announceRecords: () => tell({ kind: "records" }),
    announceEmptied: (server) => tell({ kind: "emptied", server }),
  },
  { thread, seed, onTimer },
);

// Beside whatever else runs here, the control thread included. Where it is refused the relay works as well, but waits longer.
takeShortTurns();
const own = threadWords(thread);
memory.words[own + WT_WAKE_FD] = relay.wakeFd;
tell({ kind: "ready", wakeFd: relay.wakeFd });
try {
  while (Atomics.load(memory.words, own + WT_STOP) === 0) runTurn(relay, -1);
  // What was ordered before this thread was let go is answered.
  applyOrders(relay);
  // Else the process ends, and other threads may still wake this one.
  if (Atomics.load(memory.words, own + WT_WAKE_FD) < 0) closeRelay(relay);
} catch (error) {
  tell({ kind: "failed", text: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
// The port would keep the thread alive.
port.close();
