// Where reloads are tried: the program on a configuration that a test rewrites and reloads, and receipts as objects.

import { spawnSync } from "node:child_process";
import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
import type { ReloadReceipt } from "../../src/control/reload/model.ts";
import { Client } from "../harness/client.ts";
import { FRONTEND_ADDRESS } from "../harness/ports.ts";
import { HEADGATE, Program, type ProgramOptions } from "../harness/program.ts";
import { reloadNames } from "../harness/reload-names.ts";
import type { Row } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";

/** Runs a command of the command line to its end. */
export const headgate = (...words: string[]) =>
  spawnSync(process.execPath, [HEADGATE, ...words], { encoding: "utf8", timeout: 30_000 });

export class ReloadStage {
  readonly program: Program;

  private constructor(program: Program) {
    this.program = program;
  }

  static async start(config: string, options: Omit<ProgramOptions, "config"> = {}): Promise<ReloadStage> {
    return new ReloadStage(await Program.start({ ...options, config }));
  }

  close(): Promise<void> {
    return this.program.stop();
  }

  /** Puts another configuration in the file, with the same stats socket. */
  write(config: string): void {
    const { socketPath, configPath } = this.program;
    writeFileSync(
      configPath,
      `global\n    stats socket ${socketPath} mode 600 level admin\n    stats timeout 1h\n${config}\n`,
    );
  }

  /** Reloads by the Runtime API; `config` is put in the file before. */
  async reload(config?: string): Promise<ReloadReceipt> {
    if (config !== undefined) this.write(config);
    return JSON.parse(await this.program.runtime("reload json")) as ReloadReceipt;
  }

  /** The same, and it has to be done: what it did, by names. */
  async mustReload(config?: string): Promise<ReturnType<typeof reloadNames>> {
    const receipt = await this.reload(config);
    if (receipt.report === undefined) throw new Error(JSON.stringify(receipt.messages));
    return reloadNames(receipt.report);
  }

  open(port: number, host = FRONTEND_ADDRESS): Promise<Client> {
    return Client.open({ host, port });
  }

  /** Connected clients, each of which has had an answer. */
  async clients(count: number, port: number): Promise<Client[]> {
    const clients: Client[] = [];
    for (let i = 0; i < count; i++) {
      const client = await this.open(port);
      clients.push(client);
      await client.roundTrip("hello");
    }
    return clients;
  }

  /** Rows of `show servers state`, by "backend/server". */
  async servers(): Promise<Map<string, Row>> {
    const rows = await this.program.serversState();
    return new Map(rows.map((row) => [`${row.be_name}/${row.srv_name}`, row]));
  }

  /** How many threads the process has, and how many open descriptors of each kind ("socket", "anon_inode:[eventpoll]" ...). */
  held(): Map<string, number> {
    const proc = `/proc/${this.program.pid}`;
    const counts = new Map([["thread", readdirSync(`${proc}/task`).length]]);
    for (const fd of readdirSync(`${proc}/fd`)) {
      let kind: string;
      try {
        kind = readlinkSync(`${proc}/fd/${fd}`).replace(/:\[\d+\]$/, "");
      } catch {
        continue; // closed meanwhile
      }
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    return counts;
  }

  /** Until the process holds no more than it did when `held` said so. The last answer's socket may be about to close, then as now. */
  async waitUntilNotMoreHeld(before: ReadonlyMap<string, number>): Promise<void> {
    const more = () => [...this.held()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    await waitFor(
      () => more().length === 0,
      () => `the process to hold no more than it did: ${JSON.stringify(more())} of ${JSON.stringify([...before])}`,
    );
  }

  /** Until nothing leaves any more that is called so. */
  async waitUntilGone(name: string): Promise<void> {
    await waitFor(
      async () => !(await this.servers()).has(name),
      () => `${name} to be gone`,
    );
  }
}

export interface Sections {
  readonly port: number;
  readonly servers: readonly string[];
  readonly threads?: number;
  readonly global?: readonly string[];
  readonly frontend?: readonly string[];
  readonly backend?: readonly string[];
  /** Further sections as text. */
  readonly more?: string;
}

/** One frontend "fe", one backend "be", timeouts too long to matter. */
export function sections(s: Sections): string {
  const indent = (lines: readonly string[] = []) => lines.map((line) => `    ${line}\n`).join("");
  return `
global
    nbthread ${s.threads ?? 2}
${indent(s.global)}defaults
    mode tcp
    balance roundrobin
    timeout client 1h
    timeout server 1h
    timeout connect 1h
    timeout queue 1h
frontend fe
    bind ${FRONTEND_ADDRESS}:${s.port}
    default_backend be
${indent(s.frontend)}backend be
${indent(s.backend)}${indent(s.servers.map((server) => `server ${server}`))}${s.more ?? ""}`;
}
