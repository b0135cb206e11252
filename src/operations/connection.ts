// Commands about the connection itself: its mode, level, timeout and how it marks severities. They change nothing else.

import { parseTimeMs } from "../base/units.ts";
import { failure, info, PERMISSION_DENIED, SILENT } from "./answers.ts";
import { type InputMode, isAtLeast, type Operation } from "./operation.ts";

const PROMPT_USAGE = [
  "Usage: prompt [help | n | i | p | timed]*",
  "Chooses how this connection takes commands:",
  "  help    show this text",
  "  n       one line, then close (no prompt)",
  "  i       line after line, without a prompt",
  "  p       line after line, with a prompt",
  "  timed   show the uptime in the prompt, or stop showing it",
  "Without a word: from n or i to p, from p to n.",
].join("\n");

const MODES: Readonly<Record<string, InputMode>> = { n: "once", i: "interactive", p: "prompt" };

export const prompt: Operation = {
  words: ["prompt"],
  args: "[help | n | i | p | timed]*",
  level: "user",
  summary: "take line after line, with or without a prompt",
  run({ connection }, args) {
    let mode: InputMode | undefined;
    let timed = connection.timedPrompt;
    for (const word of args) {
      if (word === "timed") timed = !timed;
      else if (Object.hasOwn(MODES, word)) mode = MODES[word];
      else return info(PROMPT_USAGE);
    }
    if (args.length === 0) mode = connection.mode === "prompt" ? "once" : "prompt";
    else if (timed !== connection.timedPrompt) mode ??= "prompt";
    connection.timedPrompt = timed;
    connection.mode = mode ?? connection.mode;
    return SILENT;
  },
};

export const quit: Operation = {
  words: ["quit"],
  args: "",
  level: "user",
  summary: "close this connection",
  run({ connection }) {
    connection.closing = true;
    return SILENT;
  },
};

function lowerTo(level: "operator" | "user"): Operation {
  return {
    words: [level],
    args: "",
    level: "user",
    summary: `lower this connection to level ${level}`,
    run({ connection }) {
      if (!isAtLeast(connection.level, level)) return PERMISSION_DENIED;
      connection.level = level;
      return SILENT;
    },
  };
}

export const lowerToOperator = lowerTo("operator");
export const lowerToUser = lowerTo("user");

export const echo: Operation = {
  words: ["echo"],
  args: "<text>",
  level: "user",
  summary: "answer <text>",
  run: (_, args) => info(args.join(" ")),
};

export const setTimeoutCli: Operation = {
  words: ["set", "timeout"],
  args: "cli <delay>",
  level: "user",
  summary: "set this connection's idle timeout, in seconds by default",
  run({ connection }, [what, delay]) {
    if (what !== "cli") return failure("'set timeout' only supports 'cli'.");
    if (delay === undefined) return failure("Expects an integer value.");
    const time = parseTimeMs(delay, "s");
    if (!time.ok || time.value < 1) return failure("Invalid timeout value.");
    connection.timeoutMs = time.value;
    return SILENT;
  },
};

export const setSeverityOutput: Operation = {
  words: ["set", "severity-output"],
  args: "none|number|string",
  level: "user",
  summary: "mark messages with their severity",
  run({ connection }, [format]) {
    if (format !== "none" && format !== "number" && format !== "string") {
      return failure("one of 'none', 'number', 'string' is a required argument");
    }
    connection.severityOutput = format;
    return SILENT;
  },
};
