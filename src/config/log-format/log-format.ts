// What a log format means once read: a list of pieces that one line is put together from. Plain data; control thread.

import type { LogValueName } from "./variables.ts";

/** Flags of an item, present where they are set. */
export interface LogFlags {
  /** Q: text in quotes. */
  readonly quote?: true;
  /** X: addresses, ports and some numbers in hexadecimal. */
  readonly hex?: true;
  /** E: a backslash before `"`, `\` and `]`. */
  readonly escape?: true;
  /** json: the value as JSON writes it. */
  readonly json?: true;
  /** M, on unless taken away: "-" for an empty text. */
  readonly dash?: true;
}

export type LogItem =
  | { readonly kind: "text"; readonly text: string }
  /** One blank, unless the line so far is empty or ends with such a blank. */
  | { readonly kind: "blank" }
  | ({
      readonly kind: "value";
      readonly of: LogValueName;
      /** Named as an expression: quotes go around numbers too, and nothing is written in hexadecimal. */
      readonly isExpression?: true;
      /** Key in a JSON line. */
      readonly name?: string;
      /** The type that JSON gives to a number. */
      readonly type?: LogType;
    } & LogFlags)
  /** `%[str(<text>)]`. */
  | ({ readonly kind: "constant"; readonly text: string; readonly name?: string } & LogFlags);

export const LOG_TYPES = ["str", "sint", "bool"] as const;
export type LogType = (typeof LOG_TYPES)[number];

export interface LogFormat {
  /** `%{+json}o`: the line is one JSON object of the named values; other items are left out. */
  readonly isJson?: true;
  readonly items: readonly LogItem[];
}
