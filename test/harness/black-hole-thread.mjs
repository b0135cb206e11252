// A thread that listens and then never runs again until it is woken: the kernel completes connections until the backlog is
// full, and from then on leaves SYNs unanswered. (Node accepts whatever arrives as soon as its loop turns; so it must not turn.)
import { createServer } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const server = createServer();
server.listen({ host: workerData.address, port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  Atomics.wait(new Int32Array(workerData.wake), 0, 0);
  process.exit();
});
