// The log targets of a configuration, opened: each distinct destination once, with its count of dropped messages. Control
// thread. Nothing here waits for a destination, except the resolution of host names at start.

import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import { ipSockaddr, isIpAddress, unixSockaddr } from "../../base/address.ts";
import type { Config, LogTarget } from "../../config/model.ts";
import { DatagramSink, DatagramSockets, UnreachableSink } from "./datagram-sink.ts";
import { DescriptorSink } from "./descriptor-sink.ts";
import { DropReport } from "./drop-report.ts";
import { HeaderDates } from "./log-time.ts";
import type { LogSink } from "./sink.ts";
import { frameHeader, type LogIdentity, levelFor, writeFrame } from "./syslog-frame.ts";

/** Longest frame: `len` at most. */
const FRAME_BYTES_MAX = 65_535;
const STDERR = 2;

interface OpenSink {
  readonly sink: LogSink;
  readonly drops: DropReport;
}

export interface LogTargetOptions {
  readonly pid?: number;
  readonly hostname?: string;
  /** Gets reports of dropped messages, one line each; default: stderr. */
  readonly report?: (line: string) => void;
  readonly nowWallMs?: () => number;
  readonly resolve?: (host: string) => Promise<string>;
}

export class LogTargets {
  private readonly sinks = new Map<string, OpenSink>();
  private readonly opened = new Map<LogTarget, OpenSink>();
  private readonly sockets = new DatagramSockets();
  private readonly dates = new HeaderDates();
  private readonly frame = Buffer.allocUnsafeSlow(FRAME_BYTES_MAX);
  private readonly identity: LogIdentity;
  private readonly report: (line: string) => void;
  private readonly nowWallMs: () => number;
  private readonly resolve: (host: string) => Promise<string>;
  /** Messages that targets dropped which are gone. */
  private droppedBefore = 0;
  private readonly stderr = new DescriptorSink("stderr", STDERR);

  constructor(options: LogTargetOptions = {}) {
    this.identity = { pid: options.pid ?? process.pid, hostname: options.hostname ?? hostname() };
    this.report = options.report ?? ((line) => this.writeStderr(line));
    this.nowWallMs = options.nowWallMs ?? Date.now;
    this.resolve = options.resolve ?? (async (host) => (await lookup(host)).address);
  }

  /** Opens every target of the configuration. A host that cannot be resolved is reported with its first message. */
  static async open(config: Config, options: LogTargetOptions = {}): Promise<LogTargets> {
    const targets = new LogTargets(options);
    await targets.add([config.global.logs, ...config.proxies.map((proxy) => proxy.logs)].flat());
    return targets;
  }

  /** Opens those that are not open yet. */
  async add(logTargets: readonly LogTarget[]): Promise<void> {
    for (const target of logTargets) {
      if (this.opened.has(target)) continue;
      const name = nameOf(target);
      let open = this.sinks.get(name);
      if (open === undefined) {
        const sink = await this.openSink(target, name);
        open = { sink, drops: new DropReport(name, this.report) };
        if (sink instanceof DescriptorSink) sink.onLateDrop = (count, reason) => open?.drops.add(count, reason);
        this.sinks.set(name, open);
      }
      this.opened.set(target, open);
    }
  }

  /** Forgets every target but these, and closes destinations that none of them names. */
  async retain(logTargets: readonly LogTarget[]): Promise<void> {
    const wanted = new Set(logTargets);
    for (const target of [...this.opened.keys()]) if (!wanted.has(target)) this.opened.delete(target);
    const used = new Set(this.opened.values());
    for (const [name, open] of [...this.sinks]) {
      if (used.has(open)) continue;
      this.sinks.delete(name);
      this.droppedBefore += open.drops.total;
      if (open.sink !== this.stderr) await open.sink.close();
      open.drops.close();
    }
  }

  /**
   * Sends a text (no line feed) to each target whose level filter takes it. Never throws, never waits. `tag`: the program's name
   * if it is another; `structured`: RFC 5424's structured data with a blank behind it; `host`: `log-send-hostname`.
   */
  send(
    logTargets: readonly LogTarget[],
    level: number,
    text: string,
    tag?: string,
    structured?: string,
    host?: string,
  ): void {
    for (const target of logTargets) {
      const open = this.opened.get(target);
      const taken = levelFor(target, level);
      if (open === undefined || taken < 0) continue;
      const header = frameHeader(target, taken, this.nowWallMs(), this.dates, this.identity, tag, structured, host);
      const length = writeFrame(this.frame, header, text, target.maxLength);
      const refused = open.sink.send(this.frame, length);
      if (refused !== undefined) open.drops.add(1, refused);
    }
  }

  /** Messages dropped so far, over all targets. */
  dropped(): number {
    let total = this.droppedBefore;
    for (const { drops } of this.sinks.values()) total += drops.total;
    return total;
  }

  async close(): Promise<void> {
    // stderr last: the others' last reports go there.
    const sinks = [...this.sinks.values()].map(({ sink }) => sink).filter((sink) => sink !== this.stderr);
    await Promise.all(sinks.map((sink) => sink.close()));
    for (const { drops } of this.sinks.values()) drops.close();
    await this.stderr.close();
    this.sockets.close();
  }

  private async openSink(target: LogTarget, name: string): Promise<LogSink> {
    const { target: to } = target;
    if (to.kind === "fd") return to.fd === STDERR ? this.stderr : new DescriptorSink(name, to.fd);
    try {
      const address = to.kind === "unix" ? unixSockaddr(to.path, false) : await this.udpAddress(to.host, to.port);
      return new DatagramSink(name, address, this.sockets);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return new UnreachableSink(name, code === undefined ? message : `cannot resolve: ${code}`);
    }
  }

  private async udpAddress(host: string, port: number): Promise<Uint8Array> {
    return ipSockaddr(isIpAddress(host) ? host : await this.resolve(host), port);
  }

  private writeStderr(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    this.stderr.send(bytes, bytes.length);
  }
}

/** As it is reported; equal for equal destinations. */
function nameOf({ target }: LogTarget): string {
  switch (target.kind) {
    case "udp":
      return target.host.includes(":") ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
    case "unix":
      return target.path;
    case "fd":
      return target.fd === 1 ? "stdout" : target.fd === STDERR ? "stderr" : `fd@${target.fd}`;
  }
}
