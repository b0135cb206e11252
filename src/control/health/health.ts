// Runs the checks of all servers: when each is due, where it goes, and what it found handed to `commit`, which alone changes a
// server's health. One check of a server at a time; the next is due an interval after the last one ended. Control thread.

import type { AgentConfig, CheckConfig } from "../../config/health-model.ts";
import { OperState, SERVER_WORDS, V_MAXCONN, V_OPER, V_SERVED } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Change, Receipt } from "../change.ts";
import type { Registry, ServerEntry } from "../registry.ts";
import { runAgentCheck } from "./agent-check.ts";
import { checkTarget } from "./check-target.ts";
import type { CheckTarget } from "./connection.ts";
import type { CheckState } from "./health-entry.ts";
import type { CheckResult } from "./result.ts";
import { startCheck } from "./run-check.ts";
import { CheckScheduler, type ScheduledCheck } from "./scheduler.ts";
import { type CheckSource, intervalMs, isRunning, type Oper } from "./state-machine.ts";

type Commit = (change: Change) => Promise<Receipt>;

const SOURCES: readonly CheckSource[] = ["check", "agent"];

export class HealthChecks {
  private readonly memory: SharedMemory;
  private readonly registry: Registry;
  private readonly commit: Commit;
  /** Each check by its state. */
  private readonly scheduler: CheckScheduler<CheckState>;
  private started = false;

  constructor(memory: SharedMemory, registry: Registry, commit: Commit) {
    this.memory = memory;
    this.registry = registry;
    this.commit = commit;
    this.scheduler = new CheckScheduler({ spreadPercent: registry.config.global.spreadChecksPercent ?? 0 });
  }

  start(): void {
    this.started = true;
    const checks: [CheckState, ScheduledCheck][] = [];
    for (const proxy of this.registry.proxies) {
      if (proxy.config.disabled) continue;
      for (const server of proxy.servers) {
        for (const source of SOURCES) {
          const check = server.health[source];
          if (isRunning(check.counter)) checks.push([check, this.scheduled(server, source)]);
        }
      }
    }
    this.scheduler.addAll(checks);
  }

  /** Something about a server's checks changed: whether they run, or how often. */
  refresh(server: ServerEntry, source: CheckSource | "both"): void {
    if (!this.started || server.backend.config.disabled) return;
    for (const each of SOURCES) {
      const check = server.health[each];
      if (source !== "both" && source !== each) continue;
      if (!isRunning(check.counter)) this.scheduler.suspend(check);
      else if (!this.scheduler.has(check)) this.scheduler.add(check, this.scheduled(server, each));
      else {
        this.scheduler.resume(check);
        this.scheduler.setInterval(check, this.intervalMs(server, each));
      }
    }
  }

  /** Its checks have new words: they begin anew, an interval from now; none where its section is disabled. */
  renew(server: ServerEntry): void {
    this.forget(server);
    this.refresh(server, "both");
  }

  /** Another `spread-checks` for the checks to come. */
  spreadBy(percent: number): void {
    this.scheduler.spreadPercent = percent;
  }

  /** A deleted server is checked no more. */
  forget(server: ServerEntry): void {
    for (const source of SOURCES) this.scheduler.remove(server.health[source]);
  }

  /** No check takes a server up or down after this. */
  stop(): void {
    this.started = false;
    this.scheduler.close();
  }

  private scheduled(server: ServerEntry, source: CheckSource): ScheduledCheck {
    return {
      intervalMs: this.intervalMs(server, source),
      start: (onEnd) => this.run(server, source, onEnd),
    };
  }

  /** Starts one check; gives what cancels it. */
  private run(server: ServerEntry, source: CheckSource, onEnd: () => void): () => void {
    const check = server.health[source];
    const { health } = server.config;
    check.inProgress = true;
    check.isAwaited = true;
    const end = async (change: Change): Promise<void> => {
      await this.commit(change);
      // The pace of the next one depends on what this one did.
      this.scheduler.setInterval(check, this.intervalMs(server, source));
      onEnd();
    };
    const cancelled = (): void => {
      check.inProgress = false;
      check.isAwaited = false;
    };
    if (source === "check" && health !== undefined) {
      const target = checkTarget(overridden(health, check), addressOf(server));
      const facts = () => this.facts(server);
      const onResult = (result: CheckResult): void => {
        void end({ kind: "check-result", server, source, result });
      };
      const isUp = this.operOf(server) !== OperState.STOPPED;
      const cancel = startCheck(health, target, facts, onResult, isUp);
      return () => {
        cancel();
        cancelled();
      };
    }
    const abort = new AbortController();
    this.askAgent(server, abort.signal).then(end, (error: unknown) => {
      if (!abort.signal.aborted) throw error;
    });
    return () => {
      abort.abort();
      cancelled();
    };
  }

  private async askAgent(server: ServerEntry, signal: AbortSignal): Promise<Change> {
    const source = "agent";
    const check = server.health[source];
    const { agent } = server.config;
    if (agent === undefined) throw new Error(`${server.name} is checked without being configured so`);
    const asked = check.send === undefined ? agent : { ...agent, send: check.send };
    const target = checkTarget(overridden(agent, check), addressOf(server));
    const { result, reply } = await runAgentCheck(asked, target, signal);
    return { kind: "check-result", server, source, result, ...(reply === undefined ? {} : { reply }) };
  }

  /** What an external check's command is told about the server. */
  private facts(server: ServerEntry) {
    const row = server.index * SERVER_WORDS;
    return {
      proxyName: server.backend.name,
      proxyId: server.backend.id,
      serverName: server.name,
      serverId: server.id,
      serverMaxconn: this.memory.serversI32[row + V_MAXCONN],
      serverCurrentSessions: Atomics.load(this.memory.serversI32, row + V_SERVED),
    };
  }

  private operOf(server: ServerEntry): Oper {
    return this.memory.serversI32[server.index * SERVER_WORDS + V_OPER] as Oper;
  }

  private intervalMs(server: ServerEntry, source: CheckSource): number {
    const { health, agent } = server.config;
    const { counter } = server.health[source];
    const oper = this.operOf(server);
    if (source === "check" && health !== undefined) {
      return server.health.check.hurries ? health.fastInterMs : intervalMs(counter, oper, health);
    }
    const interMs = agent?.interMs ?? 0;
    return intervalMs(counter, OperState.RUNNING, { interMs, fastInterMs: interMs, downInterMs: interMs });
  }
}

/** A check's own address and port, as configured or as the operator said since; port 0: the server's. */
function overridden(config: CheckConfig | AgentConfig, check: CheckState): Pick<CheckConfig, "addr" | "port"> {
  const addr = check.host ?? config.addr;
  const port = check.port ?? config.port;
  return { ...(addr === undefined ? {} : { addr }), ...(port === undefined || port === 0 ? {} : { port }) };
}

function addressOf(server: ServerEntry): CheckTarget {
  const { endpoint } = server.config;
  if (endpoint.kind === "unix") return { path: endpoint.path };
  if (endpoint.kind === "abns") return { path: `\0${endpoint.name}` };
  return { host: server.host, port: server.port };
}
