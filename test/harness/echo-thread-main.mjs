// An echo server with an event loop of its own, for loads: libuv accepts one connection a turn, so a loop that also runs hundreds
// of busy clients would accept too slowly. Counts what it accepted in shared memory.
import { createServer } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const accepted = new Int32Array(workerData.accepted);
const sockets = new Set();
const server = createServer({ noDelay: true }, (socket) => {
  Atomics.add(accepted, 0, 1);
  sockets.add(socket);
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => {});
  socket.on("close", () => sockets.delete(socket));
});
server.listen({ host: workerData.address, port: 0, backlog: 4096 }, () =>
  parentPort.postMessage(server.address().port),
);
parentPort.on("message", () => {
  for (const socket of sockets) socket.destroy();
  server.close();
  parentPort.close();
});
