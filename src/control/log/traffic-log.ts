// What the process says about its sessions and itself, to the targets of each proxy's `log` lines. Control thread: it drains
// the relays' rings and hands each record here. No call waits, no call throws.

import type { LogTarget } from "../../config/model.ts";
import { R_KIND, RecordKind } from "../../memory/record-row.ts";
import { S_FRONTEND } from "../../memory/session-row.ts";
import type { ProxyEntry, Registry } from "../registry.ts";
import { formatSessionAccept, formatSessionEnd } from "./format-tcplog.ts";
import { LogLevel } from "./syslog-frame.ts";
import type { LogTargets } from "./targets.ts";

export class TrafficLog {
  private readonly registry: Registry;
  private readonly targets: LogTargets;

  constructor(registry: Registry, targets: LogTargets) {
    this.registry = registry;
    this.targets = targets;
  }

  /** One record that starts at Int32 word `offset` of a ring; `ringF64` is the same memory. */
  record(ring: Int32Array, ringF64: Float64Array, offset: number): void {
    const frontend = this.registry.proxiesByIndex[ring[offset + S_FRONTEND]];
    if (frontend === undefined || frontend.config.logs.length === 0) return;
    const isEnd = ring[offset + R_KIND] === RecordKind.ENDED;
    // `option tcplog` replaces the line at accept by the one at the end.
    if (isEnd !== frontend.config.tcplog) return;
    const text = isEnd
      ? formatSessionEnd(ring, ringF64, offset, this.registry)
      : formatSessionAccept(ring, offset, this.registry);
    this.targets.send(frontend.config.logs, LogLevel.INFO, text);
  }

  /** A message of the process: about a proxy to that proxy's targets, else to the global ones. */
  message(level: LogLevel, text: string, proxy?: ProxyEntry): void {
    const targets: readonly LogTarget[] = proxy?.config.logs ?? this.registry.config.global.logs;
    this.targets.send(targets, level, text.replaceAll("\n", " "));
  }

  /** Opens the targets of a new configuration beside those of the old one. Never fails: a host that is not found is reported later. */
  open(logTargets: readonly LogTarget[]): Promise<void> {
    return this.targets.add(logTargets);
  }

  /** Closes what no proxy and not the process itself names any more. */
  retain(): Promise<void> {
    const { proxies, config } = this.registry;
    return this.targets.retain([config.global.logs, ...proxies.map((proxy) => proxy.config.logs)].flat());
  }

  /** Messages that no target took. Records that found a ring full are the relays' to count (CT_RECORDS_DROPPED). */
  dropped(): number {
    return this.targets.dropped();
  }

  /** Writes out what waits, for LOG_CLOSE_MS at most. */
  close(): Promise<void> {
    return this.targets.close();
  }
}
