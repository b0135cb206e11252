// What a connection's words are for, where they are not simply the Runtime API's: the master socket. Control thread.

import type { Answer, Operation } from "../operations/operation.ts";

/** Where the words of one command go, or what is said at once in place of running them. */
export type Aim =
  | { readonly said: string }
  | {
      readonly words: readonly string[];
      readonly table: readonly Operation[];
      /** Its success is answered by nothing but the next prompt. */
      readonly isSilent: boolean;
      /** The answer if the table does not have it. */
      readonly unknown: () => Answer;
    };

export interface Dialect {
  /** Stands before ">" in the prompt. */
  readonly promptName: string;
  aim(words: readonly string[]): Aim;
}
