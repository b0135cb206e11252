// What HAProxy's `_getsocks` says of each listening socket that it hands over: its namespace and interface. Pure.

export interface SocketRecord {
  readonly namespace: string;
  readonly interface: string;
}

/** Options, which are not used any more. */
const OPTION_BYTES = 4;

/** One record for each socket, in order. */
export function encodeSocketRecords(records: readonly SocketRecord[]): Uint8Array {
  return Buffer.concat(
    records.flatMap(({ namespace, interface: device }) => [
      lengthAndText(namespace),
      lengthAndText(device),
      Buffer.alloc(OPTION_BYTES),
    ]),
  );
}

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1").subarray(0, 255);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** The records of `count` sockets; undefined where there are fewer. */
export function decodeSocketRecords(bytes: Uint8Array, count: number): readonly SocketRecord[] | undefined {
  const records: SocketRecord[] = [];
  let at = 0;
  const take = (): string | undefined => {
    const length = bytes[at];
    if (length === undefined || at + 1 + length > bytes.length) return undefined;
    const text = Buffer.from(bytes.subarray(at + 1, at + 1 + length)).toString("latin1");
    at += 1 + length;
    return text;
  };
  while (records.length < count) {
    const namespace = take();
    const device = take();
    at += OPTION_BYTES;
    if (namespace === undefined || device === undefined || at > bytes.length) return undefined;
    records.push({ namespace, interface: device });
  }
  return records;
}
