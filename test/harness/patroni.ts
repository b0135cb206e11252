// Two PostgreSQL nodes under Patroni with etcd, on loopback addresses and ports of the kernel's, with the shortest times that
// Patroni runs with. Fail-overs are Patroni's own; this file only orders or provokes them and waits for what REST says.

import type { ChildProcess } from "node:child_process";
import { get } from "node:http";
import { Daemons } from "./daemons.ts";
import { findCommand, postgresPrograms, whyMissing } from "./packages.ts";
import { freePort, loopbackAddress } from "./ports.ts";
import { PostgresClient } from "./postgres-client.ts";
import { waitFor } from "./wait-for.ts";

/** Seconds after which a leader that is not heard of loses its lock. */
export const LEADER_TTL_SECONDS = 5;
const SCOPE = "headgate";
const START_BOUND_MS = 60_000;

/** "" where everything is installed, else the reason for a test's title. */
export function whyNoPatroni(): string {
  return whyMissing({
    postgresql: postgresPrograms(),
    patroni: findCommand("patroni"),
    "etcd-server": findCommand("etcd"),
    pgbench: findCommand("pgbench"),
  });
}

export interface PatroniNode {
  readonly name: string;
  readonly address: string;
  /** Where PostgreSQL listens. */
  readonly port: number;
  /** Where Patroni's REST API listens, which health checks ask. */
  readonly restPort: number;
  readonly folder: string;
  readonly configPath: string;
}

function configuration(node: Omit<PatroniNode, "configPath">, etcd: string, programs: string): string {
  return `scope: ${SCOPE}
name: ${node.name}
restapi: {listen: "${node.address}:${node.restPort}", connect_address: "${node.address}:${node.restPort}"}
etcd3: {hosts: "${etcd}"}
bootstrap:
  dcs:
    ttl: ${LEADER_TTL_SECONDS}
    loop_wait: 1
    retry_timeout: 2
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 150, wal_log_hints: "on", fsync: "off", full_page_writes: "off"}
  initdb: [{encoding: UTF8}, {locale: C}, no-sync, {auth: trust}]
  pg_hba: ["local all all trust", "host all all 127.0.0.0/8 trust", "host replication all 127.0.0.0/8 trust"]
postgresql:
  listen: "${node.address}:${node.port}"
  connect_address: "${node.address}:${node.port}"
  data_dir: "${node.folder}/data"
  bin_dir: "${programs}"
  pgpass: "${node.folder}/pgpass"
  authentication: {superuser: {username: postgres}, replication: {username: replicator}, rewind: {username: postgres}}
  parameters: {unix_socket_directories: "${node.folder}", shared_buffers: 16MB}
watchdog: {mode: "off"}
`;
}

export class PatroniCluster {
  readonly nodes: readonly [PatroniNode, PatroniNode];
  readonly daemons: Daemons;
  readonly #agents = new Map<PatroniNode, ChildProcess>();

  private constructor(daemons: Daemons, nodes: readonly [PatroniNode, PatroniNode]) {
    this.daemons = daemons;
    this.nodes = nodes;
  }

  /** Starts etcd and both nodes, and waits until one leads and the other follows. */
  static async start(): Promise<PatroniCluster> {
    const daemons = new Daemons();
    try {
      const etcd = await startEtcd(daemons);
      const cluster = new PatroniCluster(daemons, [
        await makeNode(daemons, "node0", loopbackAddress(11), etcd),
        await makeNode(daemons, "node1", loopbackAddress(12), etcd),
      ]);
      for (const node of cluster.nodes) cluster.startAgent(node);
      const leader = await waitFor(
        () => cluster.leader(),
        () => `a leader; ${cluster.nodes.map((node) => daemons.log(node.folder)).join("\n")}`,
        START_BOUND_MS,
      );
      await cluster.waitForReplica(cluster.other(leader));
      return cluster;
    } catch (error) {
      await daemons.close();
      throw error;
    }
  }

  other(node: PatroniNode): PatroniNode {
    return this.nodes[0] === node ? this.nodes[1] : this.nodes[0];
  }

  /** The node that says of itself that it is the primary and holds the lock. */
  async leader(): Promise<PatroniNode | undefined> {
    for (const node of this.nodes) if ((await restStatus(node, "/primary")) === 200) return node;
    return undefined;
  }

  /** Whether a node's Patroni runs. */
  hasAgent(node: PatroniNode): boolean {
    const agent = this.#agents.get(node);
    return agent !== undefined && agent.exitCode === null && agent.signalCode === null;
  }

  /** Starts a node's Patroni, which starts PostgreSQL or finds it running. */
  startAgent(node: PatroniNode): void {
    this.#agents.set(node, this.daemons.start(node.folder, "patroni", [node.configPath]));
  }

  /** Waits until the node streams from the leader. */
  async waitForReplica(node: PatroniNode): Promise<void> {
    await waitFor(
      async () => (await restStatus(node, "/replica")) === 200,
      () => `${node.name} to follow; ${this.daemons.log(node.folder)}`,
      START_BOUND_MS,
    );
  }

  /** `patronictl switchover`: resolves when Patroni has handed over. */
  async switchover(from: PatroniNode): Promise<void> {
    const words = ["--leader", from.name, "--candidate", this.other(from).name, "--force"];
    const args = ["-c", from.configPath, "switchover", SCOPE, ...words];
    const { code, output } = await this.daemons.run(from.folder, "patronictl", args);
    if (code !== 0 || !/Successfully switched over/.test(output)) throw new Error(`switchover failed: ${output}`);
  }

  /** kill -9 for a node's Patroni and its whole PostgreSQL. */
  async kill(node: PatroniNode): Promise<void> {
    await this.daemons.kill(node.folder);
    await waitFor(() => !this.hasAgent(node), `${node.name}'s Patroni to end`);
  }

  /** kill -9 for a node's Patroni only: PostgreSQL goes on as the primary that it was. */
  async killAgent(node: PatroniNode): Promise<void> {
    this.#agents.get(node)?.kill("SIGKILL");
    await waitFor(() => !this.hasAgent(node), `${node.name}'s Patroni to end`);
  }

  /** One statement at a node itself, past any balancer. */
  async query(node: PatroniNode, sql: string): Promise<readonly (readonly string[])[]> {
    const client = await PostgresClient.connect({ host: node.address, port: node.port });
    try {
      const { rows, error } = await client.query(sql);
      if (error !== undefined) throw new Error(error);
      return rows;
    } finally {
      client.close();
    }
  }

  close(): Promise<void> {
    return this.daemons.close();
  }
}

async function startEtcd(daemons: Daemons): Promise<string> {
  const address = loopbackAddress(10);
  const endpoint = `${address}:${await freePort(address)}`;
  const peer = `http://${address}:${await freePort(address)}`;
  const folder = daemons.folder("etcd");
  daemons.start(folder, "etcd", [
    ...["--name", "one", "--data-dir", `${folder}/data`, "--unsafe-no-fsync"],
    ...["--listen-client-urls", `http://${endpoint}`, "--advertise-client-urls", `http://${endpoint}`],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `one=${peer}`],
  ]);
  await waitFor(
    async () => (await httpStatus(`http://${endpoint}/health`)) === 200,
    () => `etcd; ${daemons.log(folder)}`,
    START_BOUND_MS,
  );
  return endpoint;
}

async function makeNode(daemons: Daemons, name: string, address: string, etcd: string): Promise<PatroniNode> {
  const bare = {
    name,
    address,
    port: await freePort(address),
    restPort: await freePort(address),
    folder: daemons.folder(name),
  };
  const text = configuration(bare, etcd, postgresPrograms()!);
  return { ...bare, configPath: daemons.write(bare.folder, "patroni.yml", text) };
}

/** What a node's REST API answers to GET `path`; 0 if it does not. */
export function restStatus(node: PatroniNode, path: string): Promise<number> {
  return httpStatus(`http://${node.address}:${node.restPort}${path}`);
}

function httpStatus(url: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(0));
  });
}
