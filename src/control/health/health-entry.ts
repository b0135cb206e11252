// What the control thread knows about a server's health at run time: the counters of its health check and its agent, what they
// found last, and who follows whom. `commit` is the only writer.

import type { ServerConfig } from "../../config/model.ts";
import { ADMIN_MAINT, OperState } from "../../memory/server-row.ts";
import { createPolicyState, type PolicyState } from "../reconcile/policy-state.ts";
import type { ServerEntry } from "../registry.ts";
import type { CheckResult } from "./result.ts";
import {
  AGENT_FALL,
  AGENT_RISE,
  type CheckCounter,
  DEFAULT_FALL,
  DEFAULT_RISE,
  initialCounter,
  initialState,
  type Oper,
} from "./state-machine.ts";

/** One of a server's two checks. A server without it has its counter all the same, as in HAProxy. */
export interface CheckState {
  counter: CheckCounter;
  /** Undefined before the first. */
  last: CheckResult | undefined;
  /** One is on its way. */
  inProgress: boolean;
  /** Nothing has been found since that one began: what is known is of an earlier one. */
  isAwaited: boolean;
  /** The next one comes after `fastinter`, because `observe` raised an alarm. */
  hurries: boolean;
  /** Failed ones that counted. */
  failures: number;
  /** Where it goes if the operator said so. */
  host: string | undefined;
  port: number | undefined;
  /** What is sent, of an agent. */
  send: string | undefined;
}

export interface HealthEntry {
  readonly check: CheckState;
  readonly agent: CheckState;
  /** The server whose state this one follows, and those that follow this one. */
  tracked: ServerEntry | undefined;
  readonly trackers: ServerEntry[];
  /** What its policies are at. */
  readonly policy: PolicyState;
  /** Times it went down. */
  downTransitions: number;
}

const checkState = (counter: CheckCounter): CheckState => ({
  counter,
  last: undefined,
  inProgress: false,
  isAwaited: false,
  hurries: false,
  failures: 0,
  host: undefined,
  port: undefined,
  send: undefined,
});

/**
 * The health of a server that was just configured. `dynamic`: by `add server`, whose checks wait for `enable health`; `unresolved`: it
 * has no address yet.
 */
export function createHealth(config: ServerConfig, dynamic: boolean, unresolved = false): HealthEntry {
  const { health, agent } = config;
  const counter = initialCounter(
    health?.rise ?? DEFAULT_RISE,
    health?.fall ?? DEFAULT_FALL,
    health !== undefined,
    health !== undefined && !dynamic,
  );
  const agentCounter = initialCounter(AGENT_RISE, AGENT_FALL, agent !== undefined, agent !== undefined && !dynamic);
  return {
    check: checkState(config.disabled || unresolved ? { ...counter, health: 0, paused: true } : counter),
    agent: checkState(agentCounter),
    tracked: undefined,
    trackers: [],
    policy: createPolicyState(),
    downTransitions: 0,
  };
}

/** What `clear counters all` sets to 0; states, and the time that a server was down, stay. */
export function clearHealthCounters(health: HealthEntry): void {
  health.check.failures = 0;
  health.agent.failures = 0;
  health.policy.observedFailures = 0;
  health.downTransitions = 0;
}

/** The state before the first check: of `init-state`, or up unless in maintenance. Moves the counter accordingly. */
export function startHealth(health: HealthEntry, config: ServerConfig, admin: number): Oper {
  const initial = initialState(config.health?.initState ?? "none", health.check.counter, admin);
  if (initial === undefined) return (admin & ADMIN_MAINT) !== 0 ? OperState.STOPPED : OperState.RUNNING;
  health.check.counter = initial.check;
  return initial.oper;
}

/** The server at the end of the chain that it tracks, or itself: the one that is checked. */
export function checkedServer(server: ServerEntry): ServerEntry {
  let seen = server;
  // The configuration refuses loops.
  while (seen.health.tracked !== undefined) seen = seen.health.tracked;
  return seen;
}

/** Links the trackers of all servers: they follow from the first moment on. */
export function linkTrackers(servers: readonly (ServerEntry | undefined)[]): void {
  for (const server of servers) {
    const { track } = server?.config.policy ?? {};
    const tracked = track === undefined ? undefined : findTracked(servers, track);
    if (server !== undefined && tracked !== undefined) link(server, tracked);
  }
}

/** The server that `track` names, if it is in its backend. */
export function findTracked(
  servers: readonly (ServerEntry | undefined)[],
  track: { readonly backend: string; readonly server: string },
): ServerEntry | undefined {
  return servers.find(
    (other) =>
      other !== undefined && other.name === track.server && other.backend.name === track.backend && !other.isDeleted,
  );
}

/** Makes `server` follow `tracked`, at the end of its list of trackers. */
export function link(server: ServerEntry, tracked: ServerEntry): void {
  server.health.tracked = tracked;
  tracked.health.trackers.push(server);
}

/** Takes a deleted server out of the chain. */
export function unlink(server: ServerEntry): void {
  const { tracked } = server.health;
  if (tracked === undefined) return;
  tracked.health.trackers.splice(tracked.health.trackers.indexOf(server), 1);
  server.health.tracked = undefined;
}
