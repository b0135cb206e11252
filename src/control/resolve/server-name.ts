// One server's name: takes what a resolution knows to the server, through `commit`. Control thread.

import type { HoldConfig, ServerResolution } from "../../config/resolvers-model.ts";
import { AdminState, SERVER_WORDS, V_ADMIN } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Change } from "../change.ts";
import type { ServerEntry } from "../registry.ts";
import { NO_ADDRESS } from "./changes.ts";
import { chooseAddress } from "./choose-address.ts";
import { heldUntilMs, type Resolution, type ResolutionStatus } from "./resolution.ts";
import type { Requester } from "./resolver.ts";

/** HAProxy's words for why a server is taken out. */
const CAUSES: Readonly<Record<ResolutionStatus, string>> = {
  none: "unspecified DNS error",
  // With its blank at the end.
  valid: "No IP for server ",
  nx: "DNS NX status",
  timeout: "DNS timeout status",
  refused: "DNS refused status",
  other: "unspecified DNS error",
};

export interface NameContext {
  readonly memory: SharedMemory;
  /** Carries a change out; the result is the log's and the registry's affair. */
  readonly apply: (change: Change) => void;
  readonly hold: HoldConfig;
  /** Names of the backend's servers, to see which addresses are taken. */
  readonly others: (server: ServerEntry) => Iterable<ServerName>;
}

export class ServerName implements Requester {
  readonly server: ServerEntry;
  /** The record that the server stands for, and the name it is of. */
  record: { readonly name: string; readonly address: string } | undefined;
  private readonly resolution: ServerResolution;
  /** What the registry says of the server may be older than a change that is still on its way. */
  private isFirst = true;
  private readonly context: NameContext;

  constructor(server: ServerEntry, resolution: ServerResolution, context: NameContext) {
    this.server = server;
    this.resolution = resolution;
    this.context = context;
  }

  onResolved(resolution: Resolution, by: string): boolean {
    const { server } = this;
    // A record that is still there is kept, whatever else there is by now.
    if (this.record !== undefined && resolution.records.some(({ key }) => key === this.record?.address)) return false;
    this.record = undefined;
    const address = chooseAddress({
      records: resolution.records,
      preference: this.resolution,
      taken: this.taken(resolution.name),
      current: server.host === NO_ADDRESS ? undefined : server.host,
    });
    if (address === undefined) {
      this.lose(resolution);
      return false;
    }
    this.record = { name: resolution.name, address };
    const isSame = address === server.host && !isUnresolved(this.context.memory, server);
    if (isSame && !this.isFirst) return false;
    this.isFirst = false;
    this.context.apply({ kind: "set-address", server, host: address, by, resolved: true });
    return !isSame;
  }

  onFailed(resolution: Resolution, nowMs: number): boolean {
    if (isUnresolved(this.context.memory, this.server)) return true;
    if (nowMs < heldUntilMs(resolution, this.context.hold)) return true;
    this.record = undefined;
    this.lose(resolution);
    return false;
  }

  private lose({ status }: Resolution): void {
    const { server } = this;
    if (isUnresolved(this.context.memory, server)) return;
    const isGone = status === "valid" || status === "nx";
    this.context.apply({ kind: "lose-address", server, cause: CAUSES[status], isGone, forgetsName: false });
  }

  private taken(name: string): ReadonlySet<string> {
    const addresses = new Set<string>();
    for (const other of this.context.others(this.server)) {
      const { record } = other;
      if (other !== this && record?.name === name) addresses.add(record.address);
    }
    return addresses;
  }
}

/** True while the server waits for an address. */
const isUnresolved = (memory: SharedMemory, server: ServerEntry): boolean =>
  (memory.serversI32[server.index * SERVER_WORDS + V_ADMIN] & AdminState.RESOLUTION_MAINT) !== 0;
