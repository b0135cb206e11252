// One nameserver: a socket that is opened when first needed, questions out, messages in. Over UDP an answer that was cut off is asked
// for again over TCP. Control thread; what is wrong with a connection is counted, the retry comes from the resolution.

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { connect, isIPv6, type Socket } from "node:net";
import { canonicalAddress } from "../../base/address.ts";
import { DNS_QUESTIONS_KEPT_MAX } from "../../base/limits.ts";
import type { NameserverConfig } from "../../config/resolvers-model.ts";
import { type NameserverCounters, newCounters } from "./counters.ts";
import { isTruncated, messageId } from "./message.ts";

/** A TCP connection that nobody asked anything over for this long is closed. */
const TCP_IDLE_MS = 10_000;

export interface Nameserver {
  readonly id: string;
  readonly counters: NameserverCounters;
  /** Sends a whole query. What fails is counted (snd_error), and is as if no answer came. */
  send(query: Uint8Array): void;
  close(): void;
}

type OnMessage = (message: Uint8Array, nameserver: Nameserver) => void;

/** A nameserver at an IP address. `onMessage` is told every message that comes from there. */
export function openNameserver(config: NameserverConfig, onMessage: OnMessage): Nameserver {
  return config.transport === "tcp" ? new TcpNameserver(config, onMessage) : new UdpNameserver(config, onMessage);
}

class UdpNameserver implements Nameserver {
  readonly id: string;
  readonly counters = newCounters();
  private readonly config: NameserverConfig;
  private readonly onMessage: OnMessage;
  /** As the kernel writes it. */
  private readonly address: string;
  private readonly sent = new Map<number, Uint8Array>();
  private readonly tcp: TcpLink;
  private socket: UdpSocket | undefined;

  constructor(config: NameserverConfig, onMessage: OnMessage) {
    this.id = config.id;
    this.config = config;
    this.onMessage = onMessage;
    this.address = canonicalAddress(config.host) ?? config.host;
    this.tcp = new TcpLink(
      config,
      (message) => onMessage(message, this),
      () => this.counters.snd_error++,
    );
  }

  send(query: Uint8Array): void {
    const id = messageId(query);
    if (id !== undefined) this.remember(id, query);
    this.counters.sent++;
    this.open().send(query, this.config.port, this.config.host, (error) => {
      if (error) this.counters.snd_error++;
    });
  }

  close(): void {
    this.socket?.close();
    this.socket = undefined;
    this.tcp.close();
  }

  private remember(id: number, query: Uint8Array): void {
    this.sent.delete(id);
    this.sent.set(id, query);
    const [oldest] = this.sent.keys();
    if (this.sent.size > DNS_QUESTIONS_KEPT_MAX && oldest !== undefined) this.sent.delete(oldest);
  }

  private open(): UdpSocket {
    if (this.socket !== undefined) return this.socket;
    const socket = createSocket(isIPv6(this.config.host) ? "udp6" : "udp4");
    this.socket = socket;
    socket.on("error", () => {
      this.counters.snd_error++;
      if (this.socket === socket) this.socket = undefined;
      socket.close();
    });
    socket.on("message", (message, peer) => {
      if (peer.address === this.address && peer.port === this.config.port) this.receive(message);
    });
    return socket;
  }

  private receive(message: Uint8Array): void {
    const id = messageId(message);
    const query = id === undefined ? undefined : this.sent.get(id);
    if (id !== undefined) this.sent.delete(id);
    if (query !== undefined && isTruncated(message)) {
      this.counters.truncated++;
      this.tcp.send(query);
    } else this.onMessage(message, this);
  }
}

class TcpNameserver implements Nameserver {
  readonly id: string;
  readonly counters = newCounters();
  private readonly link: TcpLink;

  constructor(config: NameserverConfig, onMessage: OnMessage) {
    this.id = config.id;
    this.link = new TcpLink(
      config,
      (message) => onMessage(message, this),
      () => this.counters.snd_error++,
    );
  }

  send(query: Uint8Array): void {
    this.counters.sent++;
    this.link.send(query);
  }

  close(): void {
    this.link.close();
  }
}

/** A connection that is there while it is used; messages go with their length in front (RFC 1035, 4.2.2). */
class TcpLink {
  private readonly config: NameserverConfig;
  private readonly onMessage: (message: Uint8Array) => void;
  private readonly onError: () => void;
  private socket: Socket | undefined;
  private pending: Buffer = Buffer.alloc(0);

  constructor(config: NameserverConfig, onMessage: (message: Uint8Array) => void, onError: () => void) {
    this.config = config;
    this.onMessage = onMessage;
    this.onError = onError;
  }

  send(query: Uint8Array): void {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    this.open().write(Buffer.concat([length, query]));
  }

  close(): void {
    this.socket?.destroy();
    this.socket = undefined;
  }

  private open(): Socket {
    if (this.socket !== undefined) return this.socket;
    const socket = connect({ host: this.config.host, port: this.config.port, noDelay: true });
    const leave = (): void => {
      if (this.socket === socket) this.socket = undefined;
      socket.destroy();
    };
    this.socket = socket;
    this.pending = Buffer.alloc(0);
    socket.setTimeout(TCP_IDLE_MS, leave);
    socket.on("data", (chunk) => this.read(chunk));
    socket.on("end", leave);
    socket.on("close", leave);
    socket.on("error", () => {
      this.onError();
      leave();
    });
    return socket;
  }

  private read(chunk: Buffer): void {
    let bytes = this.pending.length === 0 ? chunk : Buffer.concat([this.pending, chunk]);
    while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
      const end = 2 + bytes.readUInt16BE(0);
      this.onMessage(bytes.subarray(2, end));
      bytes = bytes.subarray(end);
    }
    this.pending = bytes;
  }
}
