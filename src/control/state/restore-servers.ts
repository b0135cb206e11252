// Which servers there are: those that operators had deleted before the start go again, those that they had added come back. The
// configuration wins where it has changed since. Control thread, only called by `commit`, at start, before anything is accepted.

import { AdminState } from "../../memory/server-row.ts";
import { addServer, readAddedServer } from "../add-server.ts";
import type { CommitContext } from "../commit-context.ts";
import { reconcileServer } from "../reconcile/reconcile.ts";
import { findProxy, findServer } from "../registry.ts";
import { fullName } from "../reload/apply-servers.ts";
import { removeServer } from "../remove-server.ts";
import { changeAdmin } from "../server-state.ts";
import type { OwnState } from "./own-format.ts";
import { type AddedServer, type DeletedServer, saysTheSame } from "./own-servers.ts";
import { withoutRelays } from "./restore-server.ts";
import type { Tell } from "./restore-state.ts";

/** In one message. */
const NAMED_MOST = 5;

/** `version`: of this program. */
export async function restoreServerLists(
  context: CommitContext,
  own: OwnState,
  version: string,
  tell: Tell,
): Promise<void> {
  await restoreDeleted(context, own.deleted, version, tell);
  for (const added of own.added) {
    const fault = await restoreAdded(context, added);
    if (fault === undefined) continue;
    const name = `${added.backend}/${added.server}`;
    tell("WARNING", `server ${name}, which was added at run time, does not come back: ${fault}`);
  }
}

async function restoreDeleted(
  context: CommitContext,
  deleted: readonly DeletedServer[],
  version: string,
  tell: Tell,
): Promise<void> {
  const quiet = { ...withoutRelays(context), orders: context.orders };
  let left = deleted.flatMap((saved) => {
    const backend = findProxy(context.registry, saved.backend, "backend");
    const server = backend === undefined ? undefined : findServer(backend, saved.server);
    return server === undefined || !saysTheSame(saved, server.config, version) ? [] : [server];
  });
  for (const server of left) await changeAdmin(quiet, server, AdminState.FORCED_MAINT, 0);
  const gone: string[] = [];
  // One that is tracked goes after those that track it.
  for (let before = left.length + 1; left.length < before; ) {
    before = left.length;
    const kept: typeof left = [];
    for (const server of left) {
      const receipt = await removeServer(quiet, server);
      if (!receipt.done) kept.push(server);
      else {
        await reconcileServer(quiet, server);
        gone.push(fullName(server));
      }
    }
    left = kept;
  }
  if (gone.length > 0) {
    const more = gone.length > NAMED_MOST ? ` and ${gone.length - NAMED_MOST} more` : "";
    const names = gone.slice(0, NAMED_MOST).join(", ");
    tell("NOTICE", `deleted at run time, and not changed in the configuration since: ${names}${more}.`);
  }
  for (const server of left)
    tell(
      "WARNING",
      `server ${fullName(server)}, which was deleted, is tracked by another one now: it is in maintenance.`,
    );
}

/** Why it cannot be; undefined if it is there. */
async function restoreAdded(
  context: CommitContext,
  { backend: name, server, id, words }: AddedServer,
): Promise<string | undefined> {
  const backend = findProxy(context.registry, name, "backend");
  if (backend === undefined || backend.config.disabled) return `there is no backend ${name} any more.`;
  if (findServer(backend, server) !== undefined) return "the configuration has one of this name.";
  const read = readAddedServer(backend, server, words, id);
  if ("error" in read) return read.error;
  const receipt = await addServer(context, { backend, server: read.server, words });
  return receipt.done ? undefined : `${receipt.code} ${receipt.detail}`;
}
