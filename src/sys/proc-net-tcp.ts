// /proc/net/tcp and /proc/net/tcp6: the kernel's table of TCP sockets as text, for hosts where netlink is refused. Control thread.

import { readFileSync } from "node:fs";
import ipaddr from "ipaddr.js";
import type { TcpConnection } from "./sock-diag.ts";

/** By the kernel's numbers. */
export const TCP_STATES = [
  "",
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
  "NEW_SYN_RECV",
] as const;
export type TcpState = (typeof TCP_STATES)[number];

/** An address in text; one of IPv4 in IPv6's form as IPv4. */
export function bytesToHost(bytes: Uint8Array): string {
  // By hand: there may be thousands of them.
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
  const address = ipaddr.fromByteArray([...bytes]);
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) return address.toIPv4Address().toString();
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

/** The tables' rows that have `port` at either end; undefined if one cannot be read, so that nothing is known. */
export function procConnections(port: number, directory = "/proc/net"): TcpConnection[] | undefined {
  const v4 = textOf(`${directory}/tcp`);
  // Without IPv6 in the kernel there is no such table.
  const v6 = textOf(`${directory}/tcp6`, "");
  return v4 === undefined || v6 === undefined ? undefined : [...rowsOf(v4, port), ...rowsOf(v6, port)];
}

function textOf(path: string, ifMissing?: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? ifMissing : undefined;
  }
}

function rowsOf(text: string, port: number): TcpConnection[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  const found: TcpConnection[] = [];
  for (const line of text.split("\n").slice(1)) {
    if (!line.includes(wanted)) continue;
    const [, local, remote, state, queues, , , , , inode] = line.trim().split(/\s+/);
    const [localHost, localPort] = endOf(local);
    const [remoteHost, remotePort] = endOf(remote);
    const [unsent, unread] = (queues ?? "").split(":");
    found.push({
      localHost,
      localPort,
      remoteHost,
      remotePort,
      state: TCP_STATES[Number.parseInt(state ?? "", 16)] ?? "",
      inode: Number(inode),
      unsentBytes: Number.parseInt(unsent ?? "", 16),
      unreadBytes: Number.parseInt(unread ?? "", 16),
      cookie: undefined,
      identity: undefined,
    });
  }
  return found;
}

/** "0100007F:1F90": words of the address as the host stores them, then the port. */
function endOf(text: string | undefined): readonly [host: string, port: number] {
  const [address, port] = (text ?? "").split(":");
  const words = (address ?? "").match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse().map((byte) => Number.parseInt(byte, 16)));
  return [bytesToHost(Uint8Array.from(bytes)), Number.parseInt(port ?? "", 16)];
}
