// The command line: words to a decided action, and nothing done. Control thread, at start. Two forms: HAProxy's flags, for
// drop-in use, and Headgate's subcommands, read by commander.

import { Command, CommanderError } from "commander";
import { nearestWord } from "../config/nearest.ts";
import { addEvict, EVICT_WRONG_USE } from "./evict-options.ts";
import { type Finish, readFlags } from "./haproxy-flags.ts";
import { addPlan, type PlanCommand } from "./plan-options.ts";
import { RELOAD_WRONG_USE } from "./reload-command.ts";
import { FILE_OPTION, SOCKET_OPTION } from "./socket-options.ts";

export type CommandLine =
  | {
      readonly kind: "run-proxy";
      readonly files: readonly string[];
      readonly quiet: boolean;
      readonly verbose: boolean;
      /** -d: say more while running. */
      readonly debug: boolean;
      readonly pidFile?: string;
      /** -n: overrides the configuration's global maxconn. */
      readonly maxconn?: number;
      /** -C: to change to before anything is read. */
      readonly directory?: string;
      /** -x: the stats socket of the process whose listening sockets are taken over. */
      readonly takeFrom?: string;
      /** -S: addresses of master sockets, with their words. */
      readonly masters?: readonly string[];
      /** -sf, -st: who is told to leave once this process serves. */
      readonly finish?: Finish;
    }
  | {
      readonly kind: "check";
      readonly files: readonly string[];
      readonly quiet: boolean;
      readonly verbose: boolean;
      /** "haproxy" for -c: its words on the two streams; "headgate" for `headgate check`: a summary at the end. */
      readonly style: "haproxy" | "headgate";
      readonly directory?: string;
    }
  | { readonly kind: "version"; readonly verbose: boolean }
  | { readonly kind: "demo" }
  | {
      readonly kind: "runtime";
      readonly command: string;
      readonly socket?: string;
      readonly files: readonly string[];
    }
  | {
      readonly kind: "evict";
      /** Words behind `evict`, without "json". */
      readonly words: readonly string[];
      readonly dryRun: boolean;
      readonly json: boolean;
      readonly socket?: string;
      readonly files: readonly string[];
    }
  | PlanCommand
  | {
      readonly kind: "reload";
      readonly json: boolean;
      readonly socket?: string;
      readonly files: readonly string[];
    }
  | { readonly kind: "help"; readonly text: string; readonly exitCode: number }
  | { readonly kind: "error"; readonly text: string; readonly exitCode: number };

const SUBCOMMANDS = ["demo", "check", "run", "plan", "evict", "reload", "help"];

const FLAGS_HELP = `
Flags as in HAProxy:
  -f FILE|DIR     read this configuration (repeatable; of a directory its *.cfg)
  -- FILE...      the rest are configuration files
  -c              check the configuration and end (-V says that it is valid)
  -n MAXCONN      most connections of the process, in place of global 'maxconn'
  -p PIDFILE      write the process number to this file
  -x SOCKET       take the listening sockets over from the process that answers there
  -sf PID...      once serving, tell these processes to finish (SIGUSR1); -st: to end (SIGTERM)
  -S ADDRESS      answer there as HAProxy's master does; words of a socket follow with commas
  -W, -Ws         nothing changes: one process is master and worker
  -C DIR          change to this directory first
  -d, -db         stay in the foreground (it always does); -d says more
  -q, -V          say nothing, or more, while starting
  -v, -vv         print the version, and how it was built`;

/** Reads the words after the program's name. Never throws; prints nothing. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const [first] = argv;
  if (first === undefined) return { kind: "help", text: mainHelp(), exitCode: 1 };
  return first.startsWith("-") ? fromFlags(argv) : fromSubcommand(argv);
}

function fromFlags(argv: readonly string[]): CommandLine {
  const flags = readFlags(argv);
  if (!flags.ok) return usageError(flags.message);
  const { files, switches, values, masters, finish } = flags;
  if (switches.has("help")) return { kind: "help", text: mainHelp(), exitCode: 0 };
  if (switches.has("versionVerbose") || switches.has("version")) {
    return { kind: "version", verbose: switches.has("versionVerbose") };
  }
  if (files.length === 0) return usageError("no configuration: name one with -f FILE");
  const common = {
    files,
    quiet: switches.has("quiet"),
    verbose: switches.has("verbose"),
    ...(values.directory === undefined ? {} : { directory: values.directory }),
  };
  if (switches.has("check")) return { kind: "check", style: "haproxy", ...common };
  if (values.maxconn !== undefined && !/^[1-9][0-9]{0,8}$/.test(values.maxconn)) {
    return usageError(`-n takes a number of connections from 1 to 999999999, not '${values.maxconn}'`);
  }
  return {
    kind: "run-proxy",
    ...common,
    debug: switches.has("debug"),
    // HAProxy's word for "none".
    ...(values.takeFrom === undefined || values.takeFrom === "/dev/null" ? {} : { takeFrom: values.takeFrom }),
    ...(finish === undefined ? {} : { finish }),
    ...(masters.length === 0 ? {} : { masters }),
    ...(values.pidFile === undefined ? {} : { pidFile: values.pidFile }),
    ...(values.maxconn === undefined ? {} : { maxconn: Number(values.maxconn) }),
  };
}

function fromSubcommand(argv: readonly string[]): CommandLine {
  let decided: CommandLine | undefined;
  let printed = "";
  const root = program((commandLine) => {
    decided = commandLine;
  });
  for (const command of [root, ...root.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => {
        printed += text;
      },
      writeErr: () => {},
    });
  }
  const [name, topic] = argv;
  const meant = name === "help" && topic !== undefined ? topic : name;
  if (!SUBCOMMANDS.includes(meant)) {
    const nearest = nearestWord(meant, SUBCOMMANDS);
    const hint = nearest === undefined ? "a configuration is named with -f FILE" : `did you mean '${nearest}'?`;
    return usageError(`unknown command '${meant}'; ${hint}`);
  }
  try {
    root.parse([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (printed !== "") return { kind: "help", text: printed, exitCode: 0 };
    return usageError(error.message.replace(/^error: /, "").replaceAll("\n", " "), name);
  }
  // Only `help` decides nothing.
  return decided ?? { kind: "help", text: printed, exitCode: 0 };
}

function mainHelp(): string {
  const help = fromSubcommand(["help"]);
  return help.kind === "help" ? help.text : "";
}

function usageError(message: string, subcommand = ""): CommandLine {
  const help = subcommand === "" ? "headgate help" : `headgate help ${subcommand}`;
  const exitCode = subcommand === "evict" ? EVICT_WRONG_USE : subcommand === "reload" ? RELOAD_WRONG_USE : 1;
  return { kind: "error", text: `headgate: ${message}\nSee '${help}'.\n`, exitCode };
}

/** The commander program; `decide` gets what was chosen. */
function program(decide: (commandLine: CommandLine) => void): Command {
  const root = new Command("headgate")
    .usage("-f FILE [flags]\n       headgate <command>")
    .description("A TCP load balancer that lets go when told: reads haproxy.cfg, speaks HAProxy's Runtime API.")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show help for a command")
    .addHelpText("after", FLAGS_HELP);
  root
    .command("demo")
    .description("three upstreams, a balancer and clients in one process, with a live view; needs nothing")
    .action(() => decide({ kind: "demo" }));
  root
    .command("check")
    .description("check a configuration and say everything that is wrong with it")
    .argument("<file...>", "configuration files or directories")
    .action((files: string[]) => decide({ kind: "check", files, quiet: false, verbose: true, style: "headgate" }));
  root
    .command("run")
    .description('send a Runtime API command, e.g. headgate run "show sess"')
    .argument("<command...>", "the command, as one word or several; ';' separates commands")
    .option(...SOCKET_OPTION)
    .option(...FILE_OPTION)
    .addHelpText(
      "after",
      "\nWithout a socket named, ./headgate.sock is used where it exists.\nEnds with 1 if a command was refused, with 2 if nobody answered.",
    )
    .action((words: string[], options: { socket?: string; f?: string[] }) =>
      decide({
        kind: "runtime",
        command: words.join(" "),
        files: options.f ?? [],
        ...(options.socket === undefined ? {} : { socket: options.socket }),
      }),
    );
  addPlan(root, decide);
  addEvict(root, decide);
  root
    .command("reload")
    .description("put the configuration files in force as they are now, or say why not; sessions stay")
    .option("--json", "the receipt as JSON")
    .option(...SOCKET_OPTION)
    .option(...FILE_OPTION)
    .addHelpText(
      "after",
      "\nEnds with 0 if it is done, 1 if it was refused and nothing has changed, 2 if it was used wrongly, 3 if nobody answered.",
    )
    .action((options: { json?: boolean; socket?: string; f?: string[] }) =>
      decide({
        kind: "reload",
        json: options.json === true,
        files: options.f ?? [],
        ...(options.socket === undefined ? {} : { socket: options.socket }),
      }),
    );
  return root;
}
