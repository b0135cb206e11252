// `_getsocks`, asked by HAProxy and by Headgate with `-x`: hands the listening sockets over on a connection to a stats socket, in HAProxy's
// form. They stay open here until this process is told to stop. Control thread.

import type { Socket } from "node:net";
import { encodeSocketRecords } from "../control/hand-over/socket-records.ts";
import { EAGAIN } from "../sys/constants.ts";
import { DESCRIPTORS_MOST, sendDescriptors } from "../sys/pass-sockets.ts";
import { descriptorOf } from "./socket-descriptor.ts";

/** HAProxy waits so long for each acknowledgement. */
const ACKNOWLEDGEMENT_MS = 1000;
const ACKNOWLEDGEMENT_BYTES = 4;
const ROOM_MS = 5;

/** Sends all of them; resolves when the other side has them, or does not answer. */
export async function giveSockets(socket: Socket, descriptors: readonly number[]): Promise<void> {
  if (descriptors.length === 0) return;
  const acknowledgements = new Acknowledgements(socket);
  const count = Buffer.alloc(4);
  count.writeInt32LE(descriptors.length);
  if (!(await send(socket, count, []))) return;
  for (let at = 0; at < descriptors.length; at += DESCRIPTORS_MOST) {
    const batch = descriptors.slice(at, at + DESCRIPTORS_MOST);
    const records = encodeSocketRecords(batch.map(() => ({ namespace: "", interface: "" })));
    if (!(await send(socket, records, batch)) || !(await acknowledgements.next())) return;
  }
}

/** False if the other side is gone, or takes nothing. */
async function send(socket: Socket, bytes: Uint8Array, descriptors: readonly number[]): Promise<boolean> {
  const deadlineMs = performance.now() + ACKNOWLEDGEMENT_MS;
  for (;;) {
    if (socket.destroyed) return false;
    const sent = sendDescriptors(descriptorOf(socket), bytes, descriptors);
    if (sent === bytes.length) return true;
    if (sent !== -EAGAIN || performance.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, ROOM_MS));
  }
}

/** Four bytes each, whatever they are. */
class Acknowledgements {
  private bytes = 0;
  private wanted = 0;
  private wake: ((came: boolean) => void) | undefined;

  constructor(socket: Socket) {
    socket.on("data", (bytes: Buffer) => {
      this.bytes += bytes.length;
      if (this.bytes >= this.wanted) this.wake?.(true);
    });
    socket.on("close", () => this.wake?.(false));
  }

  async next(): Promise<boolean> {
    this.wanted += ACKNOWLEDGEMENT_BYTES;
    if (this.bytes >= this.wanted) return true;
    let timer: NodeJS.Timeout | undefined;
    const came = await new Promise<boolean>((resolve) => {
      this.wake = resolve;
      timer = setTimeout(() => resolve(false), ACKNOWLEDGEMENT_MS);
    });
    clearTimeout(timer);
    return came;
  }
}
