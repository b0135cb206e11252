// Answers that a pattern cannot judge: MySQL's packets and LDAP's bind response. Pure.

import { latin1, MET, type Verdict, WAIT } from "./script.ts";

/** Judges packet `which` of a MySQL server (0: the greeting, 1: what follows it): an error packet fails the check. */
export function judgeMysqlPacket(answer: Buffer, which: number, isLast: boolean): Verdict {
  const tooShort: Verdict = isLast ? { kind: "failed", status: "L7RSP", text: "" } : WAIT;
  let at = 0;
  for (let i = 0; i <= which; i++) {
    if (answer.length < at + 4) return tooShort;
    const end = at + 4 + answer.readUIntLE(at, 3);
    if (i < which) at = end;
    else if (answer.length < end) return tooShort;
  }
  // An error packet: 0xff, the number, the text.
  if (answer[at + 4] !== 0xff) return MET;
  const code = answer.length >= at + 7 ? answer.readUInt16LE(at + 5) : 0;
  return { kind: "failed", status: "L7STS", code, text: latin1(answer.subarray(at + 7)) };
}

const NOT_LDAP: Verdict = { kind: "failed", status: "L7RSP", text: "Not LDAPv3 protocol" };

/** Judges an LDAP bind response (RFC 4511): only result code 0 passes. */
export function judgeLdapBind(answer: Buffer, isLast: boolean): Verdict {
  const tooShort: Verdict = isLast ? { kind: "failed", status: "L7RSP", text: "" } : WAIT;
  if (answer.length < 2) return tooShort;
  let at = 1;
  const first = answer[at]!;
  let length = first;
  const lengthBytes = first & 0x80 ? first & 0x7f : 0;
  if (first & 0x80) {
    if (answer.length - at < 1 + lengthBytes) return tooShort;
    if (lengthBytes === 4) length = answer.readUInt32BE(at + 1);
    else if (lengthBytes === 2) length = answer.readUInt16BE(at + 1);
    else return NOT_LDAP;
  }
  at += 1 + lengthBytes;
  if (answer.length - at < length) return tooShort;
  // Message 1, bindResponse.
  if (answer.subarray(at, at + 4).toString("hex") !== "02010161") return NOT_LDAP;
  at += 4;
  const bindLength = answer[at] ?? 0;
  at += 1 + (bindLength & 0x80 ? bindLength & 0x7f : 0);
  if (answer.length < at + 3) return tooShort;
  if (answer.subarray(at, at + 2).toString("hex") !== "0a01") return NOT_LDAP;
  const code = answer[at + 2]!;
  if (code === 0) return MET;
  return { kind: "failed", status: "L7STS", code, text: "See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9" };
}
