// One server as a line of `show servers state`, which is also the format of server state files: what is written. Control thread.

import { AdminState, SERVER_WORDS, V_ADMIN, V_INITIAL_WEIGHT, V_OPER, V_WEIGHT } from "../../memory/server-row.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { CheckState } from "../health/health-entry.ts";
import { CHECK_RESULT, CHECK_STATUS, resultKindOf } from "../health/result.ts";
import type { ServerEntry } from "../registry.ts";

/** The version of the format, its first line. */
export const STATE_VERSION = "1";

/** The second line: what the columns are. */
export const STATE_HEADER =
  "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
  "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
  "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr " +
  "srv_agent_port";

/** Bits of srv_check_state and srv_agent_state. */
export const CheckBits = { IN_PROGRESS: 1, CONFIGURED: 2, ENABLED: 4, PAUSED: 8, AGENT: 16 } as const;

/** The line of a server, without its line feed. */
export function stateLine(memory: SharedMemory, server: ServerEntry): string {
  const { serversI32 } = memory;
  const row = server.index * SERVER_WORDS;
  const { backend } = server;
  return [
    backend.id,
    backend.name,
    server.id,
    server.name,
    shownHost(server),
    serversI32[row + V_OPER],
    // What leaves is of no use for new sessions, for whoever reads no more than this.
    serversI32[row + V_ADMIN] | (server.leaving === undefined ? 0 : AdminState.FORCED_MAINT),
    serversI32[row + V_WEIGHT],
    serversI32[row + V_INITIAL_WEIGHT],
    Math.max(0, Math.floor((Date.now() - server.lastChangeMs) / 1000)),
    ...checkStateColumns(server),
    0,
    server.config.idForced ? 1 : 0,
    server.fqdn ?? "-",
    shownPortNumber(server),
    server.service ?? "-",
    0,
    ...checkTargetColumns(server),
  ].join(" ");
}

/** The host alone: "-" where there is none to show (a unix socket, as in HAProxy). */
export const shownHost = (server: ServerEntry): string => (server.config.endpoint.kind === "inet" ? server.host : "-");
export const shownPortNumber = (server: ServerEntry): number =>
  server.config.endpoint.kind === "inet" ? server.port : 0;

function stateBits({ counter, inProgress }: CheckState): number {
  return (
    (inProgress ? CheckBits.IN_PROGRESS : 0) |
    (counter.configured ? CheckBits.CONFIGURED : 0) |
    (counter.enabled ? CheckBits.ENABLED : 0) |
    (counter.paused ? CheckBits.PAUSED : 0)
  );
}

/** Status, result and health of the check, its state bits, and the agent's. */
function checkStateColumns({ health: { check, agent } }: ServerEntry): readonly number[] {
  const status = check.last?.status ?? "INI";
  const result = check.isAwaited ? CHECK_RESULT.unknown : CHECK_RESULT[resultKindOf(status)];
  const agentBits = stateBits(agent) | (agent.counter.configured ? CheckBits.AGENT : 0);
  return [CHECK_STATUS[status], result, check.counter.health, stateBits(check), agentBits];
}

/** Port and address that checks go to, address and port of the agent. */
function checkTargetColumns({ config, health: { check, agent } }: ServerEntry): readonly (string | number)[] {
  return [
    check.port ?? config.health?.port ?? 0,
    check.host ?? config.health?.addr ?? "-",
    agent.host ?? config.agent?.addr ?? "-",
    agent.port ?? config.agent?.port ?? 0,
  ];
}
