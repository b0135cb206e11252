// The kernel's errors in a check: HAProxy prints strerror(3), and tells a server's failure from one of this process.

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "Permission denied",
  EADDRINUSE: "Address already in use",
  EADDRNOTAVAIL: "Cannot assign requested address",
  EAFNOSUPPORT: "Address family not supported by protocol",
  ECONNABORTED: "Software caused connection abort",
  ECONNREFUSED: "Connection refused",
  ECONNRESET: "Connection reset by peer",
  EHOSTDOWN: "Host is down",
  EHOSTUNREACH: "No route to host",
  EINVAL: "Invalid argument",
  EMFILE: "Too many open files",
  ENETDOWN: "Network is down",
  ENETUNREACH: "Network is unreachable",
  ENFILE: "Too many open files in system",
  ENOBUFS: "No buffer space available",
  ENOENT: "No such file or directory",
  ENOMEM: "Cannot allocate memory",
  EPERM: "Operation not permitted",
  EPIPE: "Broken pipe",
  EPROTO: "Protocol error",
  ETIMEDOUT: "Connection timed out",
};

/** What this process lacked: no fault of the server's. */
const LOCAL = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EADDRINUSE", "EAFNOSUPPORT"]);

/** The symbolic code of an error, e.g. "ECONNREFUSED"; empty for one that has none. */
export function errorCodeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** strerror(3)'s words for an error of the kernel; the error's own message for any other. */
export function socketErrorWords(error: { readonly code?: string; readonly message: string }): string {
  return WORDS[errorCodeOf(error)] ?? error.message;
}

/** Whether the error tells of a shortage of this process, which says nothing about the server. */
export function isLocalShortage(error: unknown): boolean {
  return LOCAL.has(errorCodeOf(error));
}
