// Where orders come to the program through the program itself: its stats socket is a server of its own backend.

import { Client } from "../harness/client.ts";
import type { Opened } from "../harness/closing.ts";
import { FRONTEND_ADDRESS, freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { simpleConfig } from "./simple-config.ts";

/** A client of the stats socket by way of server be/a, and what it has been answered. */
export async function statsThroughItself(opened: Opened) {
  const port = await freePort();
  const statsAddress = loopbackAddress(30);
  const statsPort = await freePort(statsAddress);
  const program = opened(
    await Program.start({
      config: `global
    nbthread 2
    stats socket ipv4@${statsAddress}:${statsPort} level admin
${simpleConfig({ port, threads: 2, servers: [`a ${statsAddress}:${statsPort}`] })}`,
    }),
  );
  const through = opened(await Client.open({ host: FRONTEND_ADDRESS, port }));
  let text = "";
  through.socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return { program, through, answer: () => text };
}
