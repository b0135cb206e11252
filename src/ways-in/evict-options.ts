// The words of `headgate evict`: commander's options to the words of the Runtime API's `evict server` and `evict
// sessions`. What they mean, and whether they go together, is said there.

import type { Command } from "commander";
import type { CommandLine } from "./cli.ts";
import { FILE_OPTION, SOCKET_OPTION } from "./socket-options.ts";

/** Exit code. */
export const EVICT_WRONG_USE = 2;

/** Options with a value, by the word that they become. */
const VALUES = [
  ["drain", "<time>", "cut nobody for so long"],
  ["idle", "<time>", "then cut only sessions that have been quiet for so long"],
  ["over", "<time>", "spread the cuts evenly over so long"],
  ["rate", "<n>", "or cut so many a second"],
  ["order", "<order>", "who goes first at a pace: idle, oldest or random"],
  ["deadline", "<time>", "whoever is left so long after the order is cut"],
  ["client", "<end>", "how clients are told: fin or rst"],
] as const;

interface EvictOptions extends Partial<Record<(typeof VALUES)[number][0], string>> {
  readonly dryRun?: boolean;
  readonly delete?: boolean;
  readonly destroyForeign?: boolean;
  readonly json?: boolean;
  readonly socket?: string;
  readonly f?: string[];
}

/** Adds the subcommand. */
export function addEvict(root: Command, decide: (commandLine: CommandLine) => void): void {
  const command = root
    .command("evict")
    .description(
      "take a server out: no new sessions, the old ones let go, a receipt when nothing is left; or let sessions go",
    )
    .argument("<target>", "<backend>/<server>, or `sessions`")
    .argument("[filter...]", "behind `sessions`: which ones, as in `show sess`; such as: from 10.0.0.0/8 and older 1h");
  for (const [word, value, text] of VALUES) command.option(`--${word} ${value}`, text);
  command
    .option("--delete", "delete the server when it is empty")
    .option("--destroy-foreign", "also end connections of other processes of this host to the server")
    .option("--dry-run", "only say who would be cut")
    .option("--json", "the receipt as JSON")
    .option(...SOCKET_OPTION)
    .option(...FILE_OPTION)
    .addHelpText(
      "after",
      "\nWithout a time or a rate everything is cut at once. Times need their unit:\n" +
        "200ms, 30s, 5m. Ctrl-C asks whether to leave the eviction alone or to abort it.\n" +
        "Ends with 0 if the server is verified empty, or none of the sessions is left;\n" +
        "1 if sessions or foreign connections are left; 2 if it was used wrongly;\n" +
        "3 if nobody answered.",
    )
    .action((target: string, filter: string[], options: EvictOptions) => {
      if (target !== "sessions" && filter.length > 0) command.error("error: filters go with 'sessions'");
      decide(evictCommandLine(target, filter, options));
    });
}

function evictCommandLine(target: string, filter: readonly string[], options: EvictOptions): CommandLine {
  const dryRun = options.dryRun === true;
  const words = target === "sessions" ? [target, ...filter] : ["server", target];
  for (const [word] of VALUES) {
    const value = options[word];
    if (value !== undefined) words.push(word, value);
  }
  if (options.delete === true) words.push("delete");
  if (options.destroyForeign === true) words.push("destroy-foreign");
  if (dryRun) words.push("dry-run");
  return {
    kind: "evict",
    words,
    dryRun,
    json: options.json === true,
    files: options.f ?? [],
    ...(options.socket === undefined ? {} : { socket: options.socket }),
  };
}
