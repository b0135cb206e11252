// A cut that no operator asked for, so that nobody reads its receipt: what it left is told in the log. Control thread, only called by
// `commit`.

import type { CutReason } from "../../memory/cut-reason.ts";
import type { Receipt } from "../change.ts";
import type { CommitContext } from "../commit-context.ts";
import { cutServer } from "../cut.ts";
import { LogLevel } from "../log/syslog-frame.ts";
import type { ServerEntry } from "../registry.ts";
import { say } from "./let-go.ts";

/** As `cutServer`; survivors, of which there must be none, are an ALERT. */
export async function cutUnasked(context: CommitContext, server: ServerEntry, reason: CutReason): Promise<Receipt> {
  const receipt = await cutServer(context, server, reason);
  if (receipt.done && receipt.survivors > 0) {
    say(context, server, `${receipt.survivors} sessions survive their cut, which is a bug of Headgate`, LogLevel.ALERT);
  }
  return receipt;
}
