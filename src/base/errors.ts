// The user's errors: what somebody typed, configured or asked for cannot be done. Bugs assert, and operating errors of the
// data plane are numbers; neither is one of these.

export class AppError extends Error {
  /** Stable name, e.g. "cannot-bind". */
  readonly code: string;
  /** What could be done about it. */
  readonly hint: string | undefined;
  /** The word of the configuration that it is about; counted from 1. */
  readonly place: { readonly file: string; readonly line: number; readonly column: number } | undefined;

  constructor(code: string, message: string, hint?: string, place?: AppError["place"]) {
    super(message);
    this.name = "AppError";
    this.code = code;
    this.hint = hint;
    this.place = place;
  }
}

/** Why a call of the system failed, without the path that the caller names: of "ENOENT: no such file or directory, stat 'x'" the middle. */
export function systemReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /^[A-Z]\w+: (.+?), \w+(?: '|$)/.exec(text)?.[1] ?? text;
}
