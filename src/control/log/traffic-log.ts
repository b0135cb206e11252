// What the process says about its sessions and itself, to the targets of each proxy's `log` lines. Control thread: it drains
// the relays' rings and hands each record here. No call waits, no call throws.

import { hostname } from "node:os";
import type { LogTarget, ProxyConfig } from "../../config/model.ts";
import { EndCause } from "../../memory/end-state.ts";
import { R_KIND, RecordKind } from "../../memory/record-row.ts";
import { S_END_CAUSE, S_FLAGS, S_FRONTEND, S_RETRIES, SF_REDISPATCHED } from "../../memory/session-row.ts";
import type { ProxyEntry, Registry } from "../registry.ts";
import { formatSessionAccept, formatSessionEnd } from "./format-tcplog.ts";
import { hasLineAtEnd } from "./line-needs.ts";
import { compileLine, type LineWriter } from "./line-writer.ts";
import { RecordView } from "./record-view.ts";
import { LogLevel } from "./syslog-frame.ts";
import type { LogTargets } from "./targets.ts";

export class TrafficLog {
  private readonly registry: Registry;
  private readonly targets: LogTargets;
  private readonly view: RecordView;
  /** Lines about sessions so far, of the process and of each proxy (by row). */
  private lines = 0;
  private readonly linesOf: number[] = [];
  /** Compiled once for each section of each configuration; none where the section has no format. */
  private readonly writers = new WeakMap<ProxyConfig, LineWriter | undefined>();
  private readonly structuredWriters = new WeakMap<ProxyConfig, LineWriter | undefined>();

  constructor(registry: Registry, targets: LogTargets) {
    this.registry = registry;
    this.targets = targets;
    this.view = new RecordView(registry, process.pid, hostname());
  }

  /** One record that starts at Int32 word `offset` of a ring; `ringF64` is the same memory. */
  record(ring: Int32Array, ringF64: Float64Array, offset: number): void {
    const index = ring[offset + S_FRONTEND];
    const frontend = this.registry.proxiesByIndex[index];
    if (frontend === undefined || frontend.config.logs.length === 0) return;
    const { config } = frontend;
    const isEnd = ring[offset + R_KIND] === RecordKind.ENDED;
    // A line at the end replaces the one at accept.
    if (isEnd !== hasLineAtEnd(config)) return;
    const unusual = isEnd && isUnusual(ring, offset);
    if (isEnd && !unusual && config.dontlogNormal === true) return;
    const { view } = this;
    view.move(ring, ringF64, offset);
    view.number = this.lines++;
    view.frontendNumber = this.linesOf[index] ?? 0;
    this.linesOf[index] = view.frontendNumber + 1;
    const structured = config.logFormatSd === undefined ? undefined : this.structured(config);
    const level = unusual && config.logSeparateErrors === true ? LogLevel.ERR : LogLevel.INFO;
    this.targets.send(config.logs, level, this.line(config, isEnd), this.tagOf(config), structured, this.host);
  }

  private line(config: ProxyConfig, isEnd: boolean): string {
    const { words, f64, at } = this.view;
    if (!isEnd) return formatSessionAccept(words, at, this.registry);
    if (config.logFormat === undefined) return formatSessionEnd(words, f64, at, this.registry);
    let writer = this.writers.get(config);
    if (writer === undefined) {
      writer = compileLine(config.logFormat);
      this.writers.set(config, writer);
    }
    return writer(this.view);
  }

  /** RFC 5424's structured data, and the blank after it. */
  private structured(config: ProxyConfig): string | undefined {
    let writer = this.structuredWriters.get(config);
    if (writer === undefined && config.logFormatSd !== undefined) {
      writer = compileLine(config.logFormatSd);
      this.structuredWriters.set(config, writer);
    }
    const text = writer?.(this.view).trimEnd();
    return text === undefined || text === "" ? undefined : `${text} `;
  }

  private get host(): string | undefined {
    return this.registry.config.global.logHostname;
  }

  private tagOf(config: ProxyConfig | undefined): string | undefined {
    return config?.logTag ?? this.registry.config.global.logTag;
  }

  /** A message of the process: about a proxy to that proxy's targets, else to the global ones. */
  message(level: LogLevel, text: string, proxy?: ProxyEntry): void {
    const targets: readonly LogTarget[] = proxy?.config.logs ?? this.registry.config.global.logs;
    this.targets.send(targets, level, text.replaceAll("\n", " "), this.tagOf(proxy?.config), undefined, this.host);
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

/** HAProxy's rule: it did not end in good order, or took more than one attempt or server. */
const isUnusual = (words: Int32Array, at: number): boolean =>
  words[at + S_END_CAUSE] !== EndCause.NORMAL ||
  words[at + S_RETRIES] > 0 ||
  (words[at + S_FLAGS] & SF_REDISPATCHED) !== 0;
