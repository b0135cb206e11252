// `wait <delay> [srv-removable <b>/<s>]`: answers when the condition holds, or when the delay is over. It ends early only if
// nobody is left to answer to: a client that closed its sending side after the line is served like any other.

import { parseTimeMs } from "../base/units.ts";
import type { Program } from "../control/program.ts";
import { failure, info } from "./answers.ts";
import { type Obstacle, obstacleToRemoval } from "./del-server.ts";
import type { Answer, Operation, OperationContext } from "./operation.ts";
import { findTarget, splitServerName } from "./targets.ts";

const USAGE = [
  "Usage: wait {-h|<duration>} [condition [args...]]",
  "  - '-h' shows this text",
  "  - <duration> is the longest wait, in milliseconds unless a unit follows: us, ms, s, m, h, d",
  "  - <condition> ends the wait as soon as it holds:",
  "    - <none> : wait for the whole duration",
  "    - srv-removable <backend>/<server> : the server is in maintenance and has no session left",
].join("\n");

/** How often the condition is looked at besides the program's own calls. */
const LOOK_AGAIN_MS = 20;

export const wait: Operation = {
  words: ["wait"],
  args: "<delay> [srv-removable <b>/<s>]",
  level: "admin",
  summary: "wait for a time, or until a server can be deleted",
  run(context, args): Answer | Promise<Answer> {
    const [delay, condition, name] = args;
    if (delay === "-h") return info(USAGE);
    if (delay === undefined) return failure("Expects a duration in milliseconds.");
    const time = parseTimeMs(delay);
    if (!time.ok || time.value < 1) return failure("Invalid duration.");
    if (condition === undefined) return waitUntil(context, time.value, () => ({ text: "", passes: true }));
    if (condition !== "srv-removable") return info(USAGE);
    if (name === undefined) return failure("Missing server name (<backend>/<server>).");
    const names = splitServerName(name);
    if (names.error !== undefined) return failure(names.error);
    return waitUntil(context, time.value, () => obstacleTo(context.program, name));
  },
};

/** Looked up each time: a server that another client deletes meanwhile is no longer there to wait for. */
function obstacleTo(program: Program, name: string): Obstacle | undefined {
  const target = findTarget(program.registry, name);
  if (target.error !== undefined) return { text: target.error, passes: false };
  return obstacleToRemoval(program, target.found);
}

function waitUntil(
  { program, signal }: OperationContext,
  delayMs: number,
  obstacle: () => Obstacle | undefined,
): Promise<Answer> {
  return new Promise((resolve) => {
    const finish = (answer: Answer): void => {
      clearTimeout(deadline);
      clearInterval(again);
      stopListening();
      signal.removeEventListener("abort", onGone);
      resolve(answer);
    };
    const look = (): void => {
      const found = obstacle();
      if (found === undefined) finish(info("Done."));
      else if (!found.passes) finish(failure(`Failed. ${found.text}`));
    };
    const onGone = (): void => finish(failure("Interrupted."));
    const deadline = setTimeout(() => {
      const found = obstacle();
      finish(found === undefined || found.text === "" ? info("Done.") : failure(`Wait delay expired. ${found.text}`));
    }, delayMs);
    const again = setInterval(look, LOOK_AGAIN_MS);
    const stopListening = program.onProgress(look);
    signal.addEventListener("abort", onGone);
    if (signal.aborted) onGone();
    else look();
  });
}
