// Where policies are tried: one frontend, one backend "be" with the given lines, everything logged, timeouts too long to matter.

import { Client } from "../harness/client.ts";
import type { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { type Row, statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";

export interface PolicySetup {
  readonly threads: number;
  readonly log: LogReceiver;
  /** Lines of the backend. */
  readonly backend: readonly string[];
  /** Further lines of the frontend. */
  readonly frontend?: readonly string[];
}

export class PolicyStage {
  readonly program: Program;
  readonly port: number;
  readonly log: LogReceiver;

  private constructor(program: Program, port: number, log: LogReceiver) {
    this.program = program;
    this.port = port;
    this.log = log;
  }

  static async start({ threads, log, backend, frontend = [] }: PolicySetup): Promise<PolicyStage> {
    const port = await freePort();
    const config = `
global
    nbthread ${threads}
    log ${log.endpoint} local0
defaults
    mode tcp
    log global
    option tcplog
    balance roundrobin
    timeout client 1h
    timeout server 1h
    timeout connect 1h
    timeout queue 1h
    timeout check 5s
frontend fe
    bind ${FRONTEND_ADDRESS}:${port}
    default_backend be
    ${frontend.join("\n    ")}
backend be
    ${backend.join("\n    ")}
`;
    return new PolicyStage(await Program.start({ config }), port, log);
  }

  close(): Promise<void> {
    return this.program.stop();
  }

  open(): Promise<Client> {
    return Client.open({ host: FRONTEND_ADDRESS, port: this.port });
  }

  /** `set server be/<server> health <word>`, which has to work. */
  async health(server: string, word: "down" | "up" | "stopping"): Promise<void> {
    const answer = await this.program.runtime(`set server be/${server} health ${word}`);
    if (answer !== "\n") throw new Error(answer);
  }

  async row(server: string): Promise<Row> {
    return statRow(await this.program.stat(), "be", server);
  }

  async waitForRow(server: string, wanted: Readonly<Record<string, string | RegExp>>): Promise<Row> {
    let row: Row = {};
    return waitFor(
      async () => {
        row = await this.row(server);
        const fits = ([column, value]: [string, string | RegExp]): boolean =>
          typeof value === "string" ? row[column] === value : value.test(row[column]!);
        return Object.entries(wanted).every(fits) ? row : undefined;
      },
      () => `be/${server} to show ${JSON.stringify(wanted)}, it shows ${JSON.stringify(row)}`,
    );
  }

  waitForLog(pattern: RegExp): Promise<string> {
    return waitFor(
      () => this.log.messages.find((message) => pattern.test(message)),
      () => `a log line like ${pattern}, there are:\n${this.log.messages.join("")}`,
    );
  }
}
