// The config that most scenarios need: one frontend "fe", one backend "be", timeouts too long to matter.

import { FRONTEND_ADDRESS } from "../harness/ports.ts";

export interface SimpleConfig {
  readonly port: number;
  /** `server` lines' words after "server", e.g. "a 127.0.0.1:80". */
  readonly servers: readonly string[];
  readonly threads?: number;
  /** Further lines of each section. */
  readonly global?: readonly string[];
  readonly frontend?: readonly string[];
  readonly backend?: readonly string[];
  /** Replaces the long timeouts where given, e.g. { connect: "100ms" }. */
  readonly timeouts?: Readonly<Record<string, string>>;
}

const LONG = { client: "1h", server: "1h", connect: "1h", queue: "1h" };

/** The text of the config, without the stats socket that the harness adds. */
export function simpleConfig(simple: SimpleConfig): string {
  const timeouts = Object.entries({ ...LONG, ...simple.timeouts }).map(([name, value]) => `timeout ${name} ${value}`);
  const section = (title: string, lines: readonly string[]) => [title, ...lines.map((line) => `    ${line}`), ""];
  return [
    ...section("global", [`nbthread ${simple.threads ?? 1}`, ...(simple.global ?? [])]),
    ...section("defaults", ["mode tcp", "balance roundrobin", ...timeouts]),
    ...section("frontend fe", [
      `bind ${FRONTEND_ADDRESS}:${simple.port}`,
      "default_backend be",
      ...(simple.frontend ?? []),
    ]),
    ...section("backend be", [...(simple.backend ?? []), ...simple.servers.map((server) => `server ${server}`)]),
  ].join("\n");
}
