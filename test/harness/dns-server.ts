// A small authoritative nameserver for tests: UDP and TCP on one port, answers that a test can change at any moment, and a record of
// every question.

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import { type Answer, AUTHORITATIVE_ANSWER, decode, encode, type Packet, TRUNCATED_RESPONSE } from "dns-packet";
import { UPSTREAM_ADDRESS } from "./ports.ts";
import { waitFor } from "./wait-for.ts";

export interface Place {
  readonly target: string;
  readonly port: number;
  readonly weight?: number;
  /** Sent along as an additional record. */
  readonly address?: string;
}

/** What is said about one name and type. */
export type Zone =
  | { readonly addresses: readonly string[] }
  | { readonly places: readonly Place[] }
  /** Another name, followed by its addresses. */
  | { readonly cname: string; readonly addresses: readonly string[] }
  /** "silent": no answer at all. "empty": the name exists, the type does not. "garbage": a record that breaks off. */
  | "nx"
  | "servfail"
  | "refused"
  | "silent"
  | "empty"
  | "garbage";

export interface DnsQuestion {
  readonly name: string;
  readonly type: string;
  readonly transport: "udp" | "tcp";
}

const RCODES: Readonly<Record<string, number>> = { nx: 3, servfail: 2, refused: 5 };

export class DnsServer {
  readonly questions: DnsQuestion[] = [];
  /** Over UDP every answer is cut to nothing, with the flag that says so. */
  truncates = false;
  readonly #zones = new Map<string, Zone>();
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #connections = new Set<Socket>();
  #address = "";
  #port = 0;
  #isClosed = false;

  private constructor() {
    this.#udp = createSocket("udp4");
    this.#tcp = createServer((socket) => this.#serve(socket));
  }

  static async start(address: string = UPSTREAM_ADDRESS): Promise<DnsServer> {
    const server = new DnsServer();
    server.#address = address;
    // A port that is free for TCP may be taken for UDP: try until one is free for both.
    await waitFor(
      async () => {
        await new Promise<void>((resolve) => server.#tcp.listen({ host: address, port: 0 }, resolve));
        const bound = server.#tcp.address();
        server.#port = typeof bound === "object" && bound ? bound.port : 0;
        const isBound = await new Promise<boolean>((resolve) => {
          server.#udp.once("error", () => resolve(false));
          server.#udp.bind(server.#port, address, () => resolve(true));
        });
        if (!isBound) await new Promise<void>((resolve) => server.#tcp.close(() => resolve()));
        return isBound;
      },
      () => "a port for the nameserver",
    );
    server.#udp.on("message", (message, { port, address: peer }) => {
      const answer = server.#answer(message, "udp");
      if (answer !== undefined) server.#udp.send(answer, port, peer);
    });
    return server;
  }

  /** As in a `nameserver` line. */
  get endpoint(): string {
    return `${this.#address}:${this.#port}`;
  }

  /** What is answered from now on. `type`: "A", "AAAA" or "SRV". */
  set(name: string, type: string, zone: Zone): void {
    this.#zones.set(`${type} ${name.toLowerCase()}`, zone);
  }

  /** Addresses of a name, each under its own type; none of a type: that type is empty. */
  setAddresses(name: string, ...addresses: readonly string[]): void {
    for (const type of ["A", "AAAA"]) {
      const own = addresses.filter((address) => address.includes(":") === (type === "AAAA"));
      this.set(name, type, own.length > 0 ? { addresses: own } : "empty");
    }
  }

  /** The same for both types of addresses. */
  setAll(name: string, zone: Zone): void {
    for (const type of ["A", "AAAA"]) this.set(name, type, zone);
  }

  asked(name: string, type?: string): number {
    return this.questions.filter((q) => q.name === name && (type === undefined || q.type === type)).length;
  }

  /** Waits until a name was asked for `count` more times. */
  async waitForQuestions(name: string, count: number, type?: string): Promise<void> {
    const before = this.asked(name, type);
    await waitFor(
      () => this.asked(name, type) >= before + count,
      () => `${count} questions for ${name}, there were ${this.asked(name, type) - before}`,
    );
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const socket of this.#connections) socket.destroy();
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    let pending = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const end = 2 + pending.readUInt16BE(0);
        const answer = this.#answer(pending.subarray(2, end), "tcp");
        pending = pending.subarray(end);
        if (answer === undefined) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      }
    });
  }

  #answer(message: Buffer, transport: "udp" | "tcp"): Buffer | undefined {
    const { id, questions } = decode(message);
    const question = questions?.[0];
    if (question === undefined) return undefined;
    const { name, type } = question;
    this.questions.push({ name: name.toLowerCase(), type, transport });
    const zone = this.#zones.get(`${type} ${name.toLowerCase()}`) ?? "nx";
    if (zone === "silent") return undefined;
    const base: Packet = { type: "response", id, questions: [question] };
    const code = typeof zone === "string" ? (RCODES[zone] ?? 0) : 0;
    if (zone === "garbage") {
      const whole = encode({ ...base, flags: AUTHORITATIVE_ANSWER, ...records(name, { addresses: ["192.0.2.1"] }) });
      return whole.subarray(0, whole.length - 3);
    }
    if (transport === "udp" && this.truncates) {
      return encode({ ...base, flags: AUTHORITATIVE_ANSWER | TRUNCATED_RESPONSE });
    }
    return encode({ ...base, flags: AUTHORITATIVE_ANSWER | code, ...records(name, zone) });
  }
}

function records(name: string, zone: Zone): { answers: Answer[]; additionals: Answer[] } {
  if (typeof zone === "string") return { answers: [], additionals: [] };
  const addressOf = (owner: string, data: string): Answer => ({
    type: data.includes(":") ? "AAAA" : "A",
    name: owner,
    ttl: 1,
    data,
  });
  if ("places" in zone) {
    return {
      answers: zone.places.map(
        ({ target, port, weight = 0 }): Answer => ({
          type: "SRV",
          name,
          ttl: 1,
          data: { target, port, weight, priority: 1 },
        }),
      ),
      additionals: zone.places.flatMap(({ target, address }) =>
        address === undefined ? [] : [addressOf(target, address)],
      ),
    };
  }
  if ("cname" in zone) {
    const alias: Answer = { type: "CNAME", name, ttl: 1, data: zone.cname };
    return { answers: [alias, ...zone.addresses.map((address) => addressOf(zone.cname, address))], additionals: [] };
  }
  return { answers: zone.addresses.map((address) => addressOf(name, address)), additionals: [] };
}
