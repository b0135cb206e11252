// Reads an HTTP/1 response as far as it has come, with the leniency of HAProxy's parser towards servers: any protocol name of
// four letters, bare line feeds, no reason. Pure.

import { latin1 } from "./script.ts";

export type HttpResponse =
  | { readonly kind: "partial" }
  | { readonly kind: "invalid" }
  | {
      readonly kind: "response";
      readonly statusText: string;
      readonly status: number;
      readonly reason: string;
      readonly body: Buffer;
      /** The body has ended by its own length. */
      readonly isWhole: boolean;
    };

const STATUS_LINE = /^[A-Z]{4}\/\d\.\d[ \t]+(\d+)(?:[ \t]+(.*))?$/;
/** What a status line may be while it is not whole. */
const STATUS_LINE_BEGINNING = /^[A-Z\d/.]*(?:[ \t]+(?:\d+(?:[ \t].*)?)?)?$/;
const HEADER = /^([!#$%&'*+\-.^_`|~\dA-Za-z]+):[ \t]*(.*?)[ \t]*$/;

const INVALID: HttpResponse = { kind: "invalid" };
const PARTIAL: HttpResponse = { kind: "partial" };

/** @param isHead the request was HEAD, so there is no body whatever the headers say */
export function readHttpResponse(answer: Buffer, isHead: boolean): HttpResponse {
  const text = latin1(answer);
  let at = 0;
  // Empty lines before the response are passed over.
  while (text[at] === "\r" || text[at] === "\n") at++;
  const headers = new Map<string, string>();
  let statusLine: RegExpExecArray | undefined;
  for (;;) {
    const end = text.indexOf("\n", at);
    if (end < 0) {
      const isBad = statusLine === undefined && !STATUS_LINE_BEGINNING.test(text.slice(at).replace(/\r$/, ""));
      return isBad ? INVALID : PARTIAL;
    }
    const line = text.slice(at, text[end - 1] === "\r" ? end - 1 : end);
    at = end + 1;
    if (statusLine === undefined) {
      const found = STATUS_LINE.exec(line);
      if (found === null) return INVALID;
      statusLine = found;
    } else if (line === "") {
      break;
    } else if (!line.startsWith(" ") && !line.startsWith("\t")) {
      const header = HEADER.exec(line);
      if (header === null) return INVALID;
      headers.set(header[1]!.toLowerCase(), header[2]!);
    }
  }
  const status = Number(statusLine[1]);
  const body = bodyOf(answer.subarray(at), headers, isHead || status < 200 || status === 204 || status === 304);
  if (body === undefined) return INVALID;
  return { kind: "response", statusText: statusLine[1]!, status, reason: statusLine[2] ?? "", ...body };
}

function bodyOf(
  rest: Buffer,
  headers: ReadonlyMap<string, string>,
  isEmpty: boolean,
): { body: Buffer; isWhole: boolean } | undefined {
  const length = headers.get("content-length");
  if (length !== undefined && !/^\d+$/.test(length)) return undefined;
  if (isEmpty) return { body: rest.subarray(0, 0), isWhole: true };
  if (/(?:^|,)[ \t]*chunked$/i.test(headers.get("transfer-encoding") ?? "")) return chunked(rest);
  if (length === undefined) return { body: rest, isWhole: false };
  const size = Number(length);
  return { body: rest.subarray(0, size), isWhole: rest.length >= size };
}

function chunked(rest: Buffer): { body: Buffer; isWhole: boolean } | undefined {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = rest.indexOf(0x0a, at);
    const line = latin1(rest.subarray(at, end < 0 ? rest.length : end)).replace(/\r$/, "");
    if (!/^[\da-fA-F]*(?:[ \t]*(?:;.*)?)?$/.test(line) || (end >= 0 && !/^[\da-fA-F]/.test(line))) return undefined;
    if (end < 0) return { body: Buffer.concat(pieces), isWhole: false };
    const size = Number.parseInt(line, 16);
    if (size === 0) return { body: Buffer.concat(pieces), isWhole: true };
    pieces.push(rest.subarray(end + 1, end + 1 + size));
    at = end + 1 + size;
    if (at >= rest.length) return { body: Buffer.concat(pieces), isWhole: false };
    if (rest[at] === 0x0d) at++;
    if (at >= rest.length) return { body: Buffer.concat(pieces), isWhole: false };
    if (rest[at++] !== 0x0a) return undefined;
  }
}
