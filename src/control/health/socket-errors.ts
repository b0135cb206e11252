// The kernel's errors in a check: HAProxy prints strerror(3), and tells a server's failure from one of this process.

import { errorNumber, errorText } from "../../sys/libc.ts";

/** What this process lacked: no fault of the server's. */
const LOCAL = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EADDRINUSE", "EAFNOSUPPORT"]);

/** The symbolic code of an error, e.g. "ECONNREFUSED"; empty for one that has none. */
export function errorCodeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** strerror(3)'s words for an error of the kernel; the error's own message for any other. */
export function socketErrorWords(error: { readonly code?: string; readonly message: string }): string {
  const number = errorNumber(errorCodeOf(error));
  return number === undefined ? error.message : errorText(number);
}

/** Whether the error tells of a shortage of this process, which says nothing about the server. */
export function isLocalShortage(error: unknown): boolean {
  return LOCAL.has(errorCodeOf(error));
}
