// Which process a command on the master socket is for. One object for each connection; control thread.

import { info } from "../../operations/answers.ts";
import { unknownCommandText } from "../../operations/find-operation.ts";
import type { Answer, Operation } from "../../operations/operation.ts";
import { OPERATIONS, unknownCommand } from "../../operations/table.ts";
import type { Aim, Dialect } from "../dialect.ts";

const MASTER = "master";
/** They are about the connection to the worker, which is none of its own here. */
const WITHOUT_MEANING: ReadonlySet<string> = new Set(["quit", "prompt"]);
/** Answered by the next prompt alone. */
const SILENT_WORDS: ReadonlySet<string> = new Set(["prompt", "quit", "operator", "user"]);

export class MasterDialect implements Dialect {
  readonly #pid: number;
  readonly #table: readonly Operation[];
  #target: "master" | "worker" = MASTER;

  constructor(pid: number, table: readonly Operation[]) {
    this.#pid = pid;
    this.#table = table;
  }

  get promptName(): string {
    return this.#target === MASTER ? MASTER : `${this.#pid}`;
  }

  /** A target alone holds from then on; before a command, for that command. */
  aim(words: readonly string[]): Aim {
    const [prefix = "", ...rest] = words;
    if (!prefix.startsWith("@")) return this.#to(this.#target, words);
    const target = this.#targetOf(prefix);
    if (target === undefined) return { said: `Can't find the target PID matching the prefix '${prefix}'\n` };
    if (rest.length > 0) return this.#to(target, rest);
    this.#target = target;
    return { said: "" };
  }

  #to(target: "master" | "worker", words: readonly string[]): Aim {
    const first = words[0] ?? "";
    if (target === MASTER) {
      return { words, table: this.#table, isSilent: SILENT_WORDS.has(first), unknown: () => this.#unknown(words) };
    }
    // As in HAProxy, `quit` ends the connection where the target was chosen for good.
    if (first === "quit" && this.#target === target) return this.#to(MASTER, words);
    if (WITHOUT_MEANING.has(first)) return { said: "" };
    return { words, table: OPERATIONS, isSilent: SILENT_WORDS.has(first), unknown: () => unknownCommand(words) };
  }

  #targetOf(prefix: string): "master" | "worker" | undefined {
    if (prefix === "@" || prefix === "@0" || prefix === "@master") return MASTER;
    return prefix === "@1" || prefix === `@!${this.#pid}` ? "worker" : undefined;
  }

  #unknown(words: readonly string[]): Answer {
    const always = this.#table.filter((operation) => ["help", "prompt", "quit"].includes(operation.words.join(" ")));
    return info(unknownCommandText(this.#table, always, words).replace(/\n$/, ""));
  }
}
