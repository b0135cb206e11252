// Queries to bytes and answers from bytes, through dns-packet: what of an answer counts, and what an unusable one is called.
// Pure. Names are lower case and without a final dot everywhere behind this file.

import { type Answer, type DecodedPacket, decode, encode, RECURSION_DESIRED } from "dns-packet";
import { canonicalAddress } from "../../base/address.ts";

export type AddressType = "A" | "AAAA";
export type QueryType = AddressType | "SRV";

/** An address of a name, or a place of a service, as an answer has it. */
export interface AddressRecord {
  readonly kind: "address";
  readonly type: AddressType;
  /** Canonical text of the address. */
  readonly address: string;
}

export interface ServiceRecord {
  readonly kind: "service";
  readonly target: string;
  readonly port: number;
  /** 0..65535 */
  readonly weight: number;
  /** The target's address, where the answer brought it along. */
  readonly address?: string;
}

export type DnsRecord = AddressRecord | ServiceRecord;

/** Why an answer cannot be used; the names are those of the counters in `show resolvers`. */
export type AnswerFault = "invalid" | "nx" | "refused" | "other" | "any_err" | "cname_error" | "truncated";

export type AnswerResult =
  | { readonly ok: true; readonly records: readonly DnsRecord[] }
  | { readonly ok: false; readonly fault: AnswerFault };

/** Bytes of a DNS header, and of the shortest record: with the payload size they bound how many records an answer may have. */
const HEADER_BYTES = 12;
const SHORTEST_RECORD_BYTES = 6;

/** A name as it is compared: lower case, without the final dot. */
export const canonicalName = (name: string): string => name.toLowerCase().replace(/\.$/, "");

/** One question, recursion desired, with the size of answers that are taken (EDNS). `id`: 0..65535. */
export function encodeQuery(id: number, name: string, type: QueryType, payloadBytes: number): Uint8Array {
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ type, name }],
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: payloadBytes,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  });
}

/** The id of a message, or undefined if it is shorter than that. */
export function messageId(bytes: Uint8Array): number | undefined {
  const [high, low] = bytes;
  return high === undefined || low === undefined ? undefined : high * 256 + low;
}

/** True for an answer that the nameserver cut to the size of a datagram. */
export const isTruncated = (bytes: Uint8Array): boolean => ((bytes[2] ?? 0) & 0x02) !== 0;

/** Reads the answer to a question for `name` and `type`. Never throws. */
export function readAnswer(bytes: Uint8Array, name: string, type: QueryType, payloadBytes: number): AnswerResult {
  const fault = (code: AnswerFault): AnswerResult => ({ ok: false, fault: code });
  if (bytes.length < HEADER_BYTES) return fault("invalid");
  const code = (bytes[3] ?? 0) & 0x0f;
  if (code === 3) return fault("nx");
  if (code === 5) return fault("refused");
  if (code !== 0) return fault("other");
  let packet: DecodedPacket;
  try {
    packet = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch {
    return fault("invalid");
  }
  const { answers = [], questions = [] } = packet;
  const [question] = questions;
  if (packet.type !== "response" || questions.length !== 1 || question === undefined) return fault("invalid");
  if (answers.length === 0) return fault("any_err");
  if (answers.length > (payloadBytes - HEADER_BYTES) / SHORTEST_RECORD_BYTES) return fault("invalid");
  if (canonicalName(question.name) !== name || question.type !== type) return fault("invalid");
  if (type === "SRV") return { ok: true, records: serviceRecords(answers, packet.additionals ?? []) };
  // What was cut off would look like addresses that are gone.
  if (isTruncated(bytes)) return fault("truncated");
  return addressRecords(answers, name);
}

/** Follows the chain of CNAMEs from the name asked for; every record must belong to it. */
function addressRecords(answers: readonly Answer[], name: string): AnswerResult {
  const records: AddressRecord[] = [];
  let owner = name;
  for (const [index, answer] of answers.entries()) {
    if (canonicalName(answer.name) !== owner) return { ok: false, fault: index === 0 ? "invalid" : "cname_error" };
    if (answer.type === "CNAME") {
      if (index === answers.length - 1) return { ok: false, fault: "cname_error" };
      owner = canonicalName(answer.data);
    } else if (answer.type === "A" || answer.type === "AAAA") {
      const address = canonicalAddress(answer.data);
      if (address === undefined) return { ok: false, fault: "invalid" };
      records.push({ kind: "address", type: answer.type, address });
    }
  }
  return { ok: true, records };
}

/** A service is known by target and port; the first additional address of its target stands with it. */
function serviceRecords(answers: readonly Answer[], additionals: readonly Answer[]): ServiceRecord[] {
  const addresses = new Map<string, string>();
  for (const additional of additionals) {
    if (additional.type !== "A" && additional.type !== "AAAA") continue;
    const address = canonicalAddress(additional.data);
    const target = canonicalName(additional.name);
    if (address !== undefined && !addresses.has(target)) addresses.set(target, address);
  }
  const records = new Map<string, ServiceRecord>();
  for (const answer of answers) {
    if (answer.type !== "SRV") continue;
    const { port, weight = 0 } = answer.data;
    const target = canonicalName(answer.data.target);
    // "." stands for: decidedly no such service (RFC 2782).
    if (target === "" || target === ".") continue;
    const address = addresses.get(target);
    records.set(`${target}:${port}`, {
      kind: "service",
      target,
      port,
      weight,
      ...(address === undefined ? {} : { address }),
    });
  }
  return [...records.values()];
}
