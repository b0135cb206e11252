// Where policies are tried: one frontend, one backend "be" with the given lines, everything logged, timeouts too long to matter.

import { expect } from "vitest";
import { Client } from "../harness/client.ts";
import { socketsHeldTo, survivingConnections } from "../harness/kernel-sockets.ts";
import type { LogReceiver } from "../harness/log-receiver.ts";
import { FRONTEND_ADDRESS, freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { type Row, statRow } from "../harness/show.ts";
import { waitFor } from "../harness/wait-for.ts";
import type { CutState, Victim } from "./cut-states.ts";

export interface PolicySetup {
  readonly threads: number;
  readonly log: LogReceiver;
  /** Lines of the backend. */
  readonly backend: readonly string[];
  /** Further lines of the frontend. */
  readonly frontend?: readonly string[];
  /** The backend's name; default "be". */
  readonly name?: string;
}

/** The text of the config: a frontend "fe" before one backend, timeouts too long to matter. */
export const policyConfig = (
  port: number,
  setup: Omit<PolicySetup, "log"> & { readonly log?: LogReceiver },
): string => `
global
    nbthread ${setup.threads}
    ${setup.log ? `log ${setup.log.endpoint} local0` : ""}
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
    default_backend ${setup.name ?? "be"}
    ${(setup.frontend ?? []).join("\n    ")}
backend ${setup.name ?? "be"}
    ${setup.backend.join("\n    ")}
`;

/** Sessions that were ended because their server went down: none is left anywhere, and each client saw an end and has its line. */
export async function expectEndedAsDown(
  { program, log }: { readonly program: Program; readonly log: LogReceiver },
  state: CutState,
  victim: Victim,
  clients: readonly Client[],
): Promise<void> {
  expect(survivingConnections(program.pid, victim.address, victim.port)).toEqual([]);
  expect(socketsHeldTo(program.pid, victim.address, victim.port)).toEqual([]);
  expect(await program.sessions()).toEqual([]);
  if (state.clientReadsLater) for (const client of clients) client.resume();
  for (const client of clients) {
    await client.waitForEnd();
    expect((await log.waitForSession(client.local)).termination).toBe("DC");
  }
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

  static async start(setup: PolicySetup): Promise<PolicyStage> {
    const port = await freePort();
    return new PolicyStage(await Program.start({ config: policyConfig(port, setup) }), port, setup.log);
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
