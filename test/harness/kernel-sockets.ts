// What the kernel says about TCP sockets: /proc/net/tcp and tcp6 joined with /proc/PID/fd. Synchronous on purpose: a test reads
// it in the same turn in which an answer arrived, so that nothing lies between the answer and the look.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { TCP_STATES, type TcpState } from "../../src/sys/proc-net-tcp.ts";

/** One row of the kernel's table. */
export interface KernelSocket {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly state: TcpState;
  /** Bytes written by the process that the peer has not acknowledged. */
  readonly txQueueBytes: number;
  /** Bytes received that the process has not read; for a listener the connections waiting to be accepted. */
  readonly rxQueue: number;
  /** True while the zero-window probe timer runs: there is something to send and the peer has no room for it. */
  readonly windowClosed: boolean;
  /** 0: no process holds it any more. */
  readonly inode: number;
}

function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  const ipv4 = (from: number) =>
    bytes
      .slice(from, from + 4)
      .map((byte) => Number.parseInt(byte, 16))
      .join(".");
  if (bytes.length === 4) return ipv4(0);
  if (bytes.slice(0, 12).join("") === "00000000000000000000ffff".toUpperCase()) return ipv4(12);
  const groups = Array.from({ length: 8 }, (_, i) =>
    Number.parseInt(bytes[2 * i]! + bytes[2 * i + 1]!, 16).toString(16),
  );
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

function parseTable(path: string, port: number): KernelSocket[] {
  // By what tells sockets apart: where others come and go while it is read, the kernel shows some of them twice.
  const sockets = new Map<string, KernelSocket>();
  // Another program's thousands of connections are not worth parsing.
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  for (const line of readFileSync(path, "latin1").split("\n").slice(1)) {
    if (!line.includes(wanted)) continue;
    const field = line.trim().split(/\s+/);
    if (field.length < 10) continue;
    const [localAddress, localPort] = field[1]!.split(":");
    const [remoteAddress, remotePort] = field[2]!.split(":");
    const [txQueue, rxQueue] = field[4]!.split(":");
    sockets.set(`${field[1]} ${field[2]} ${field[9]}`, {
      localAddress: addressOf(localAddress!),
      localPort: Number.parseInt(localPort!, 16),
      remoteAddress: addressOf(remoteAddress!),
      remotePort: Number.parseInt(remotePort!, 16),
      state: TCP_STATES[Number.parseInt(field[3]!, 16)] ?? "",
      txQueueBytes: Number.parseInt(txQueue!, 16),
      rxQueue: Number.parseInt(rxQueue!, 16),
      windowClosed: field[5]!.startsWith("04"),
      inode: Number(field[9]),
    });
  }
  return [...sockets.values()];
}

/** All TCP sockets with `port` at either end, in this network namespace or in that of another process. */
export function kernelSockets(port: number, namespaceOf: number | "self" = "self"): KernelSocket[] {
  return [...parseTable(`/proc/${namespaceOf}/net/tcp`, port), ...parseTable(`/proc/${namespaceOf}/net/tcp6`, port)];
}

/** What each open descriptor of a process refers to, e.g. "socket:[4711]", "pipe:[12]". Empty once the process is gone. */
export function openDescriptors(pid: number): string[] {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    return [];
  }
  const targets: string[] = [];
  for (const name of names) {
    try {
      targets.push(readlinkSync(`/proc/${pid}/fd/${name}`));
    } catch {
      // closed since the directory was read
    }
  }
  return targets;
}

function socketInodes(pid: number): Set<number> {
  const inodes = openDescriptors(pid).map((target) => Number(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? -1));
  return new Set(inodes);
}

/** Sockets that `pid` holds a descriptor of and whose remote end is `address`:`port`. */
export function socketsHeldTo(pid: number, address: string, port: number): KernelSocket[] {
  const inodes = socketInodes(pid);
  return kernelSockets(port).filter(
    (s) => s.remotePort === port && s.remoteAddress === address && s.inode !== 0 && inodes.has(s.inode),
  );
}

/** Sockets that `pid` holds a descriptor of and whose local end is `address`:`port`: its listeners and its clients there. */
export function socketsHeldAt(pid: number, address: string, port: number): KernelSocket[] {
  const inodes = socketInodes(pid);
  return kernelSockets(port).filter(
    (s) => s.localPort === port && s.localAddress === address && s.inode !== 0 && inodes.has(s.inode),
  );
}

/**
 * What must not be there after a cut: sockets towards `address`:`port`, held by `pid` or by nobody, that are connecting, are
 * open, or still have bytes to deliver. TIME_WAIT and a FIN_WAIT whose bytes are all acknowledged are harmless.
 */
export function survivingConnections(pid: number, address: string, port: number): KernelSocket[] {
  const inodes = socketInodes(pid);
  return kernelSockets(port).filter(
    (s) =>
      s.remotePort === port &&
      s.remoteAddress === address &&
      (s.inode === 0 || inodes.has(s.inode)) &&
      (s.state === "SYN_SENT" ||
        s.state === "ESTABLISHED" ||
        s.state === "CLOSE_WAIT" ||
        ((s.state === "FIN_WAIT1" || s.state === "CLOSING" || s.state === "LAST_ACK") && s.txQueueBytes > 0)),
  );
}

/** Connections that the kernel completed on `address`:`port` and that no process has accepted yet. */
export function acceptQueueLength(address: string, port: number): number {
  return kernelSockets(port)
    .filter((s) => s.state === "LISTEN" && s.localPort === port && s.localAddress === address)
    .reduce((sum, s) => sum + s.rxQueue, 0);
}

/** The kernel's row for this end of a connection, or undefined once it is gone from the table. */
export function socketBetween(
  local: { address: string; port: number },
  remote: { address: string; port: number },
): KernelSocket | undefined {
  return kernelSockets(local.port).find(
    (s) =>
      s.localPort === local.port &&
      s.remotePort === remote.port &&
      s.localAddress === local.address &&
      s.remoteAddress === remote.address,
  );
}
