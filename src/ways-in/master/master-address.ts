// `-S <address>[,<word>]*`: the address and words of a `stats socket` line, with commas for blanks; of level admin unless it says otherwise.
// Control thread, at start.

import { AppError } from "../../base/errors.ts";
import { loadConfigText } from "../../config/load.ts";
import type { StatsSocket } from "../../config/model.ts";

/** Throws AppError "bad-master-socket". */
export function readMasterAddress(value: string, env: Readonly<Record<string, string | undefined>>): StatsSocket {
  const words = value.split(",").filter((word) => word !== "");
  const level = words.includes("level") ? "" : " level admin";
  const quoted = words.map((word) => `"${word.replace(/[\\"$]/g, "\\$&")}"`).join(" ");
  const { config, diagnostics } = loadConfigText(
    `global\n    stats socket ${quoted}${level}\n`,
    "-S",
    env,
    () => undefined,
  );
  const [socket] = config?.global.statsSockets ?? [];
  if (socket !== undefined) return socket;
  const reason = diagnostics.find(({ severity }) => severity === "error")?.message ?? "it names no address";
  throw new AppError("bad-master-socket", `-S ${value}: ${reason.replaceAll("'stats socket'", "'-S'")}`);
}
