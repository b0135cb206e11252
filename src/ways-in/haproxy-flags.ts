// HAProxy's command line flags: which are ours too, which HAProxy knows and Headgate does not (yet). Pure; control thread.
// They are not getopt's: "-db" is one flag, not "-d -b", so they are taken apart here before anything else sees them.

import { nearestWord } from "../config/nearest.ts";

/** Supported flags that take no value, and what they mean to the caller. */
const SWITCHES = {
  "-c": "check",
  "-v": "version",
  "-vv": "versionVerbose",
  "-V": "verbose",
  "-d": "debug",
  "-db": "foreground",
  "-q": "quiet",
  // There is one process: it is its own master.
  "-W": "masterWorker",
  "-Ws": "masterWorker",
  "-h": "help",
  "--help": "help",
  "--version": "version",
} as const;

/** Supported flags whose value is the next word. */
const VALUES = {
  "-f": "file",
  "-p": "pidFile",
  "-n": "maxconn",
  "-C": "directory",
  "-x": "takeFrom",
  "-S": "master",
} as const;

/** Flags that take all process numbers that follow, and the signal that these get once this process serves. */
const FINISH = { "-sf": "SIGUSR1", "-st": "SIGTERM" } as const;

export type FlagSwitch = (typeof SWITCHES)[keyof typeof SWITCHES];
export type FlagValue = Exclude<(typeof VALUES)[keyof typeof VALUES], "file" | "master">;

/** Flags of HAProxy that are refused by name, with a hint where there is something else to do. */
const KNOWN_TO_HAPROXY: Readonly<Record<string, string>> = {
  "-D": "run it under systemd, or with '&' from a shell",
  "-N": "write 'maxconn' in the 'defaults' section",
  "-m": "",
  "-L": "",
  "-G": "",
  "-4": "",
  "-cc": "",
  "-vq": "use -v",
  "-vqb": "use -v",
  "-vqs": "use -v",
};
/** -d<letter>: HAProxy's debugging switches. */
const DEBUG_LETTERS = "ACDFGIKLMRSVWZacehiklprtvw";

/** Processes of before, and how they are told to leave. */
export interface Finish {
  readonly signal: "SIGUSR1" | "SIGTERM";
  readonly pids: readonly number[];
}

export type FlagResult =
  | {
      readonly ok: true;
      readonly files: readonly string[];
      readonly switches: ReadonlySet<FlagSwitch>;
      readonly values: Readonly<Partial<Record<FlagValue, string>>>;
      /** `-S`, each as given. */
      readonly masters: readonly string[];
      /** `-sf` or `-st`, the last one; undefined: neither, or without a process. */
      readonly finish: Finish | undefined;
    }
  | { readonly ok: false; readonly message: string };

/** Reads HAProxy's form of a command line; what follows "--" are configuration files. */
export function readFlags(words: readonly string[]): FlagResult {
  const files: string[] = [];
  const masters: string[] = [];
  const switches = new Set<FlagSwitch>();
  const values: Partial<Record<FlagValue, string>> = {};
  let finish: Finish | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "--") {
      files.push(...words.slice(i + 1));
      break;
    }
    if (isKey(SWITCHES, word)) {
      switches.add(SWITCHES[word]);
      continue;
    }
    if (isKey(FINISH, word)) {
      const pids: number[] = [];
      for (; i + 1 < words.length && !words[i + 1]?.startsWith("-"); i++) {
        const pid = words[i + 1] ?? "";
        if (!/^[1-9]\d{0,9}$/.test(pid)) return { ok: false, message: `${word} takes process numbers, not '${pid}'` };
        pids.push(Number(pid));
      }
      finish = pids.length === 0 ? undefined : { signal: FINISH[word], pids };
      continue;
    }
    if (!isKey(VALUES, word)) return { ok: false, message: refusal(word) };
    const value = words[++i];
    if (value === undefined || value === "") return { ok: false, message: `${word} needs ${VALUE_NAMES[word]}` };
    const name = VALUES[word];
    if (name === "file") files.push(value);
    else if (name === "master") masters.push(value);
    else values[name] = value;
  }
  return { ok: true, files, switches, values, masters, finish };
}

const VALUE_NAMES: Readonly<Record<keyof typeof VALUES, string>> = {
  "-f": "a configuration file or a directory",
  "-p": "a file for the process number",
  "-n": "a number of connections",
  "-C": "a directory",
  "-x": "the stats socket of the process before",
  "-S": "an address for the master socket",
};

function isKey<T extends object>(table: T, word: string): word is Extract<keyof T, string> {
  return Object.hasOwn(table, word);
}

function refusal(word: string): string {
  if (!word.startsWith("-")) {
    return `'${word}' is no flag: name a configuration with '-f ${word}', or see 'headgate help'`;
  }
  const isDebugSwitch = word.startsWith("-d") && DEBUG_LETTERS.includes(word[2] ?? "-");
  if (isDebugSwitch || isKey(KNOWN_TO_HAPROXY, word)) {
    const hint = KNOWN_TO_HAPROXY[word] ?? "";
    return `${word} is known to HAProxy, not supported by Headgate yet${hint === "" ? "" : ` (${hint})`}`;
  }
  const nearest = nearestWord(word, [...Object.keys(SWITCHES), ...Object.keys(VALUES), ...Object.keys(FINISH)]);
  return `unknown flag '${word}'${nearest === undefined ? "" : `; did you mean '${nearest}'?`}`;
}
