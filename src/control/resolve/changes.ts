// Changes of a server's address and name: by DNS, or by the operator. Called by `commit` only. A new address is in the row, and known
// to every relay, before the sessions of the old one are cut and before the server leaves maintenance.

import { ipSockaddr, isIpAddress } from "../../base/address.ts";
import { CutReason } from "../../memory/cut-reason.ts";
import { AdminState, SERVER_WORDS, V_ADMIN } from "../../memory/server-row.ts";
import type { Change, Receipt } from "../change.ts";
import { type CommitContext, done, refuse } from "../commit-context.ts";
import { cutUnasked } from "../reconcile/cut-unasked.ts";
import type { ServerEntry } from "../registry.ts";
import { changeAdmin } from "../server-state.ts";
import { writeAddress } from "../tables.ts";

/** Shown where a server has no address. */
export const NO_ADDRESS = "-";

type Of<Kind extends Change["kind"]> = Extract<Change, { kind: Kind }>;

/** `set server <b>/<s> addr`, and what DNS found. A server that waited for an address leaves maintenance. */
export async function setAddress(context: CommitContext, change: Of<"set-address">): Promise<Receipt> {
  const { server, host, by } = change;
  const port = change.port ?? server.port;
  if (!isIpAddress(host)) return refuse("bad-address", host);
  const { memory } = context;
  const from = server.host;
  const route = routeOf(host, port);
  const moves = route !== server.route;
  server.host = host;
  server.port = port;
  server.route = route;
  if (by !== undefined && from !== host) context.events.onAddressChange(server, from, by);
  let receipt = done();
  if (moves) {
    writeAddress(memory, server.index, ipSockaddr(host, port));
    // Waiting for all threads makes sure that none still reads the place that the next change will write to.
    await context.orders.order({ kind: "server-changed", server: server.index, backend: server.backend.index });
    receipt = await cutOldSessions(context, server);
  }
  const admin = memory.serversI32[server.index * SERVER_WORDS + V_ADMIN];
  if ((admin & AdminState.RESOLUTION_MAINT) !== 0) {
    await changeAdmin(context, server, 0, AdminState.RESOLUTION_MAINT);
    if (change.resolved) context.events.onResolvedAgain(server);
  }
  return receipt;
}

/** The server's name resolves to nothing: it waits in maintenance, without an address. */
export async function loseAddress(context: CommitContext, change: Of<"lose-address">): Promise<Receipt> {
  const { server, cause, isGone, forgetsName } = change;
  await changeAdmin(context, server, AdminState.RESOLUTION_MAINT, 0, cause === "" ? "" : ` (${cause})`);
  server.host = NO_ADDRESS;
  if (forgetsName) {
    server.fqdn = undefined;
    server.port = 0;
  }
  // DNS that is silent has not said that the address is gone: what works shall go on.
  return isGone ? cutOldSessions(context, server) : done();
}

/** The name that is resolved from now on. The address stays until the new name has one. */
export async function setFqdn(context: CommitContext, change: Of<"set-fqdn">): Promise<Receipt> {
  const { server, fqdn, by } = change;
  const from = server.fqdn;
  server.port = change.port ?? server.port;
  if (from === fqdn) return done();
  server.fqdn = fqdn;
  context.memory.serversI32[server.index * SERVER_WORDS + V_ADMIN] |= AdminState.FQDN_CHANGED;
  context.events.onFqdnChange(server, from, by);
  return done();
}

async function cutOldSessions(context: CommitContext, server: ServerEntry): Promise<Receipt> {
  return server.config.onAddressChange === undefined ? done() : cutUnasked(context, server, CutReason.ADDRESS_CHANGE);
}

/** Where sessions go, to tell one address from another. */
export const routeOf = (host: string, port: number): string => `${host} ${port}`;
