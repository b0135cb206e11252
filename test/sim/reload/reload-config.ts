// Configurations as data: small numbers, so that a failing run can be shrunk, and the text that a file would have.

import fc from "fast-check";

/** 0: nothing said; keep; drain; shutdown-sessions. */
export type PolicyChoice = 0 | 1 | 2 | 3;

export interface ServerPlan {
  /** Which of its two addresses it has. */
  readonly address: 0 | 1;
  readonly weight: number;
  readonly maxconn: number;
  readonly isDisabled: boolean;
  readonly onRemoved: PolicyChoice;
  readonly onMaint: PolicyChoice;
}

export interface BackendPlan {
  readonly kind: "backend" | "listen";
  readonly onRemoved: PolicyChoice;
  readonly balance: "roundrobin" | "leastconn" | "first" | "source";
  /** By place: `s0`, `s1`, ... */
  readonly servers: readonly (ServerPlan | null)[];
}

export interface FrontendPlan {
  readonly onRemoved: PolicyChoice;
  /** Which of the backends that are there. */
  readonly backend: number;
}

export interface ConfigPlan {
  /** By place: `b0`, `b1`, ... */
  readonly backends: readonly (BackendPlan | null)[];
  /** By place: `f0`, `f1`, ... */
  readonly frontends: readonly (FrontendPlan | null)[];
  /** For each port, which of those that can listen does; none if it is greater than they are many. */
  readonly ports: readonly number[];
  readonly hardStopAfterMs: number;
}

const BACKENDS = 3;
const FRONTENDS = 2;
const SERVERS = 3;
export const PORTS = 4;
export const FIRST_PORT = 18_000;
export const DRAIN_MS = 60;

/** Where a server listens: one of two places. */
export const upstreamPort = (backend: number, server: number, address: number): number =>
  7000 + backend * 20 + server * 2 + address;

/** All of them. */
export const UPSTREAM_PORTS: readonly number[] = Array.from({ length: BACKENDS * 20 }, (_, i) => 7000 + i);

const CHOICES = ["", "keep", `drain ${DRAIN_MS}ms`, "shutdown-sessions"] as const;
const POLICIES = CHOICES.map((choice) => choice && `on-removed ${choice}`);
const MAINTENANCE = CHOICES.map((choice) => choice && `on-maint ${choice}`);

/** How long sessions may stay by what is said at the server and at its section; infinite: as long as they like. */
export function staysMs(own: PolicyChoice, section: PolicyChoice): number {
  const choice = own === 0 ? section : own;
  return choice === 2 ? DRAIN_MS : choice === 3 ? 0 : Number.POSITIVE_INFINITY;
}

/** Who listens on each port: a name, or undefined. */
export function owners(config: ConfigPlan): readonly (string | undefined)[] {
  const names = [
    ...config.frontends.flatMap((frontend, i) => (frontend === null ? [] : [`f${i}`])),
    ...config.backends.flatMap((backend, i) => (backend?.kind === "listen" ? [`b${i}`] : [])),
  ];
  return config.ports.map((choice) => names[choice]);
}

/** As in a file. */
export function configText(config: ConfigPlan): string {
  const owned = owners(config);
  const binds = (name: string): string[] =>
    owned.flatMap((owner, i) => (owner === name ? [`  bind 127.0.0.1:${FIRST_PORT + i}`] : []));
  const backends = config.backends.flatMap((backend, i) => (backend === null ? [] : [i]));
  const lines = ["global", "  log 127.0.0.1:9 local0"];
  if (config.hardStopAfterMs > 0) lines.push(`  hard-stop-after ${config.hardStopAfterMs}ms`);
  lines.push("defaults", "  log global", "  option tcplog", "  option redispatch");
  lines.push("  timeout client 1h", "  timeout server 1h", "  timeout connect 1s", "  timeout queue 1s");
  for (const [i, frontend] of config.frontends.entries()) {
    if (frontend === null) continue;
    lines.push(`frontend f${i}`, `  ${POLICIES[frontend.onRemoved]}`, ...binds(`f${i}`));
    if (backends.length > 0) lines.push(`  default_backend b${backends[frontend.backend % backends.length]}`);
  }
  for (const [i, backend] of config.backends.entries()) {
    if (backend === null) continue;
    lines.push(`${backend.kind} b${i}`, `  ${POLICIES[backend.onRemoved]}`, `  balance ${backend.balance}`);
    if (backend.kind === "listen") lines.push(...binds(`b${i}`));
    for (const [s, server] of backend.servers.entries()) {
      if (server === null) continue;
      const words = [
        `weight ${server.weight}`,
        `maxconn ${server.maxconn}`,
        POLICIES[server.onRemoved],
        MAINTENANCE[server.onMaint],
      ];
      if (server.isDisabled) words.push("disabled");
      lines.push(`  server s${s} 127.0.0.1:${upstreamPort(i, s, server.address)} ${words.join(" ")}`);
    }
  }
  return `${lines.filter((line) => line.trim() !== "").join("\n")}\n`;
}

const often = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 4, nil: null });
const policy = fc.constantFrom<PolicyChoice[]>(0, 0, 1, 2, 3);

const serverPlans: fc.Arbitrary<ServerPlan> = fc.record({
  address: fc.constantFrom<(0 | 1)[]>(0, 0, 0, 1),
  weight: fc.constantFrom(1, 1, 2, 0),
  maxconn: fc.constantFrom(0, 0, 1, 2),
  isDisabled: fc.nat(5).map((n) => n === 0),
  onRemoved: policy,
  onMaint: policy,
});

const backendPlans: fc.Arbitrary<BackendPlan> = fc.record({
  kind: fc.constantFrom<BackendPlan["kind"][]>("backend", "backend", "listen"),
  onRemoved: policy,
  balance: fc.constantFrom<BackendPlan["balance"][]>("roundrobin", "leastconn", "first", "source"),
  servers: fc.array(often(serverPlans), { minLength: SERVERS, maxLength: SERVERS }),
});

export const configPlans: fc.Arbitrary<ConfigPlan> = fc.record({
  backends: fc.array(often(backendPlans), { minLength: BACKENDS, maxLength: BACKENDS }),
  frontends: fc.array(often(fc.record({ onRemoved: policy, backend: fc.nat(BACKENDS - 1) })), {
    minLength: FRONTENDS,
    maxLength: FRONTENDS,
  }),
  ports: fc.array(fc.nat(FRONTENDS + 1), { minLength: PORTS, maxLength: PORTS }),
  hardStopAfterMs: fc.constantFrom(0, 0, 0, 30, 200),
});
