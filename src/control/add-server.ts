// Servers made at run time: the words of `add server` to a server's configuration, and its way into tables and registry, in maintenance
// until it is enabled. Control thread; `addServer` is only called by `commit`.

import { SERVERS_MAX } from "../base/limits.ts";
import type { ServerConfig } from "../config/model.ts";
import { invalidNameCharacter } from "../config/names.ts";
import { parseServerAddress, parseServerWords } from "../config/server-line.ts";
import { AdminState, OperState, VF_DYNAMIC } from "../memory/server-row.ts";
import { resolveServerAddress } from "./addresses.ts";
import type { Change, Receipt, ResolvedAddress } from "./change.ts";
import { type CommitContext, refuse } from "./commit-context.ts";
import { findTracked, link } from "./health/health-entry.ts";
import { reconcileServer } from "./reconcile/reconcile.ts";
import type { ProxyEntry } from "./registry.ts";
import { nameLeavingServers } from "./reload/leaving-names.ts";
import { freeServerRow } from "./rows.ts";
import { newServerEntry } from "./server-entry.ts";
import { inheritAdmin } from "./server-state.ts";
import { writeServerRow } from "./tables.ts";

/** Where such a server comes from, for messages. */
const PLACE = { file: "the Runtime API", line: 0, column: 0 };

/** What `address` and `words` make of a new server of the backend, or what is wrong with them. Its number is `id` where that is free. */
export function readAddedServer(
  backend: ProxyEntry,
  name: string,
  [address = "", ...words]: readonly string[],
  id?: number,
): { readonly server: ServerConfig } | { readonly error: string } {
  const bad = invalidNameCharacter(name);
  if (bad !== undefined) return { error: `'${bad}' is not allowed in the name of a server.` };
  const where = parseServerAddress(address);
  if (!where.ok) return { error: `'server ${name}' : ${where.error}` };
  const read = parseServerWords(words, backend.config.defaultServer, where.portKind === "fixed");
  if (!read.ok) return { error: read.error };
  const { settings, id: forcedId } = read.server;
  const owner = backend.servers.find((server) => server.id === forcedId);
  if (owner !== undefined) {
    const { file, line } = owner.config.place;
    return { error: `'id' : custom id ${forcedId} already used at ${file}:${line} ('server ${owner.name}').` };
  }
  return {
    server: {
      ...settings,
      name,
      id: forcedId ?? freeId(backend, id),
      idForced: forcedId !== undefined,
      endpoint: where.endpoint,
      portKind: where.portKind,
      place: PLACE,
    },
  };
}

function freeId(backend: ProxyEntry, wanted: number | undefined): number {
  const taken = new Set(backend.servers.map((server) => server.id));
  if (wanted !== undefined && !taken.has(wanted)) return wanted;
  let id = 1;
  while (taken.has(id)) id++;
  return id;
}

/** Refused where name, number or address will not do. The receipt has the new entry. */
export async function addServer(
  context: CommitContext,
  { backend, server: config, words }: Omit<Extract<Change, { kind: "add-server" }>, "kind">,
): Promise<Receipt> {
  const { memory, registry } = context;
  const others = backend.servers.filter(({ leaving }) => leaving === undefined);
  if (others.some((other) => other.name === config.name)) return refuse("duplicate-name", config.name);
  const sameId = others.find((other) => other.id === config.id);
  if (sameId !== undefined) return refuse("duplicate-id", sameId.name);
  const index = freeServerRow(memory);
  if (index < 0) return refuse("server-table-full", String(SERVERS_MAX));
  let address: ResolvedAddress;
  try {
    address = await resolveServerAddress(config.endpoint);
  } catch (error) {
    return refuse("bad-address", (error as Error).message);
  }
  const server = newServerEntry(index, backend, config, address, true);
  server.addedAs = words;
  const { track } = config.policy;
  const tracked = track === undefined ? undefined : findTracked(registry.serversByIndex, track);
  if (track !== undefined && tracked === undefined) return refuse("bad-track", `${track.backend}/${track.server}`);
  if (tracked !== undefined) link(server, tracked);
  registry.serversByIndex[index] = server;
  backend.servers.push(server);
  nameLeavingServers(backend);
  writeServerRow(memory, server, address.sockaddr, AdminState.FORCED_MAINT, OperState.STOPPED, VF_DYNAMIC);
  await inheritAdmin(context, server);
  context.events.onServerAdded(server);
  await context.orders.order({ kind: "server-changed", server: index, backend: backend.index });
  await reconcileServer(context, server);
  return { done: true, matched: 0, ended: 0, survivors: 0, server };
}
