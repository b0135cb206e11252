// One reload while it is carried out: what its steps share. Control thread, only within `commit`.

import type { Turns } from "../../base/turns.ts";
import type { ProxyConfig, ServerConfig } from "../../config/model.ts";
import type { CommitContext } from "../commit-context.ts";
import type { ProxyEntry, ServerEntry } from "../registry.ts";
import type { PreparedReload } from "./model.ts";
import { type Deeds, newDeeds } from "./report.ts";

export class ReloadRun {
  readonly context: CommitContext;
  readonly prepared: PreparedReload;
  readonly deeds: Deeds = newDeeds();
  /** Backends whose relays have to look at their servers and queues anew. */
  readonly touched = new Set<ProxyEntry>();
  /** What each proxy's section said before. */
  readonly former = new Map<ProxyEntry, ProxyConfig>();
  /** Servers and proxies that begin to leave with this reload. */
  readonly departing: { readonly servers: ServerEntry[]; readonly proxies: ProxyEntry[] } = {
    servers: [],
    proxies: [],
  };
  /** What follows once the relays know: changes of single servers, which are orders of their own. */
  readonly afterwards: (() => Promise<unknown>)[] = [];
  readonly #unchanged = new Set<ServerConfig>();
  readonly #changed = new Set<ProxyConfig>();
  readonly #turns: Turns;

  constructor(context: CommitContext, prepared: PreparedReload, turns: Turns) {
    this.context = context;
    this.#turns = turns;
    this.prepared = prepared;
    for (const proxy of prepared.diff.proxies.kept) {
      if (proxy.changes.length > 0) {
        this.#changed.add(proxy.new);
        continue;
      }
      for (const { new: now, changes } of proxy.servers.kept) if (changes.length === 0) this.#unchanged.add(now);
    }
  }

  /** The server's line, and all that it has from its section, say what they said. */
  isUnchanged(server: ServerConfig): boolean {
    return this.#unchanged.has(server);
  }

  /** The section says something else than it said, apart from its servers. */
  isChanged(proxy: ProxyConfig): boolean {
    return this.#changed.has(proxy);
  }

  /** True when others should have a turn: then `await nextTurn()`. */
  get isLong(): boolean {
    return this.#turns.isLong;
  }

  nextTurn(): Promise<void> {
    return this.#turns.next();
  }
}
