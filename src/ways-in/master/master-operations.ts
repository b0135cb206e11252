// What the master socket answers itself: HAProxy's commands about processes and reloads. Control thread.

import type { Program } from "../../control/program.ts";
import { EVERY_SESSION } from "../../memory/selector.ts";
import { dump, info } from "../../operations/answers.ts";
import { candidates, findOperation, usageLines } from "../../operations/find-operation.ts";
import { type Answer, type Operation, type OperationContext, Severity } from "../../operations/operation.ts";
import { OPERATIONS } from "../../operations/table.ts";
import type { ReloadCounts } from "./reload-counts.ts";

/** Those of the Runtime API that the master has too, by their words. */
const SHARED = [
  "echo",
  "operator",
  "user",
  "prompt",
  "quit",
  "show version",
  "show env",
  "show cli level",
  "show cli sockets",
];

const COLUMN = 15;
const cells = (...texts: readonly (string | number)[]): string =>
  texts.map((text) => `${text}`.padEnd(COLUMN)).join(" ");

/** "0d00h00m22s" */
function uptime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => `${value}`.padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h${two(minutes % 60)}m${two(seconds % 60)}s`;
}

/** The one process as master and as worker. The worker is as old as the configuration that is in force, as HAProxy's would be. */
function processTable({ pid, version, startWallMs }: Program, { done, failed, lastMs }: ReloadCounts): string {
  const now = Date.now();
  return [
    `#${cells("<PID>", "<type>", "<reloads>", "<uptime>", "<version>").replace("<PID>           ", "<PID>          ")}`,
    cells(pid, "master", `${done} [failed: ${failed}]`, uptime(now - startWallMs), version),
    "# workers",
    cells(pid, "worker", 0, uptime(now - (lastMs ?? startWallMs)), version),
    "",
  ].join("\n");
}

async function textOf({ text }: Answer): Promise<string> {
  if (typeof text === "string") return text;
  let all = "";
  for await (const part of text) all += part;
  return all;
}

/** Runs the Runtime API's `reload`, and words its answer as HAProxy's master does. */
async function reloadAnswer(context: OperationContext): Promise<Answer> {
  const reload = findOperation(OPERATIONS, ["reload"]);
  const answer: Answer =
    reload === undefined ? { text: "There is no reload.\n", severity: Severity.error } : await reload.run(context, []);
  const isDone = answer.severity !== Severity.error;
  return dump(`Success=${isDone ? 1 : 0}\n--\n${await textOf(answer)}`);
}

const isDone = ({ text }: Answer): boolean => typeof text === "string" && text.startsWith("Success=1");

/** The master's table. `counts`: what `show proc` shows of reloads, kept by whoever carries them out. */
export function masterOperations(counts: ReloadCounts): readonly Operation[] {
  const shared = SHARED.flatMap((words) => findOperation(OPERATIONS, words.split(" ")) ?? []);
  const help: Operation = {
    words: ["help"],
    args: "[<command>]",
    level: "user",
    summary: "list the commands, or those like <command>",
    run(_, args) {
      const meant = args.length === 0 ? [] : candidates(table, args);
      return info(masterUsage(meant.length === 0 ? table : meant, table).replace(/\n$/, ""));
    },
  };
  const own: readonly Operation[] = [
    {
      words: ["show", "proc"],
      args: "[debug]",
      level: "operator",
      summary: "show the process as master and as worker",
      run: ({ program }) => dump(processTable(program, counts)),
    },
    {
      words: ["reload"],
      args: "",
      level: "operator",
      summary: "put the configuration files in force as they are now; sessions stay",
      run: reloadAnswer,
    },
    {
      words: ["hard-reload"],
      args: "",
      level: "operator",
      summary: "the same, and end the sessions that are there",
      async run(context) {
        const answer = await reloadAnswer(context);
        if (isDone(answer)) await context.program.commit({ kind: "cut-selected", selector: EVERY_SESSION });
        return answer;
      },
    },
    help,
  ];
  const table: readonly Operation[] = [...shared, ...own];
  return table;
}

const PREFIXES = [
  "  @!<pid>                                 : send a command to the process with this number\n",
  "  @<relative pid>                         : send a command to the worker (@1)\n",
  "  @master                                 : send a command to the master\n",
].join("");

/** Usage lines, behind them those that are always shown, before them how a process is named. */
export function masterUsage(operations: readonly Operation[], table: readonly Operation[]): string {
  const always = ["help", "prompt", "quit"].flatMap((word) => findOperation(table, [word]) ?? []);
  return `The following commands are valid at this level:\n${PREFIXES}${usageLines(operations, always)}`;
}
