// `show servers state` and `show servers conn`: one line a server. The first is also the format of HAProxy's server state files.

import type { Program } from "../control/program.ts";
import { findProxy, type ProxyEntry, type ServerEntry } from "../control/registry.ts";
import {
  AdminState,
  SERVER_WORDS,
  V_ADMIN,
  V_INITIAL_WEIGHT,
  V_OPER,
  V_SERVED,
  V_SERVED_MAX,
  V_WEIGHT,
} from "../memory/server-row.ts";
import { dump, failure } from "./answers.ts";
import { checkStateColumns, checkTargetColumns } from "./check-fields.ts";
import type { Answer, Operation } from "./operation.ts";
import { shownHost, shownPortNumber } from "./state-text.ts";

const STATE_HEADER =
  "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight " +
  "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state " +
  "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr " +
  "srv_agent_port";

/** HAProxy's default for idle connections, which TCP does not have. */
const PURGE_DELAY_MS = 5000;

function stateLine(program: Program, backend: ProxyEntry, server: ServerEntry): string {
  const { serversI32 } = program.memory;
  const row = server.index * SERVER_WORDS;
  const values = [
    backend.id,
    backend.name,
    server.id,
    server.name,
    shownHost(server),
    serversI32[row + V_OPER],
    // Of no use for new sessions, for whoever reads no more than this.
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
  ];
  return `${values.join(" ")}\n`;
}

function connLine(program: Program, backend: ProxyEntry, server: ServerEntry): string {
  const { serversI32 } = program.memory;
  const row = server.index * SERVER_WORDS;
  const perThread = Array.from({ length: program.threads }, () => 0);
  const values = [
    `${backend.name}/${server.name}`,
    `${backend.id}/${server.id}`,
    shownHost(server),
    shownPortNumber(server),
    "-",
    PURGE_DELAY_MS,
    Atomics.load(serversI32, row + V_SERVED),
    0,
    serversI32[row + V_SERVED_MAX] > 0 ? 1 : 0,
    serversI32[row + V_SERVED_MAX] > 0 ? 1 : 0,
    0,
    0,
    0,
    -1,
    0,
    ...perThread,
  ];
  return `${values.join(" ")}\n`;
}

function eachServer(
  program: Program,
  name: string | undefined,
  header: string,
  line: (program: Program, backend: ProxyEntry, server: ServerEntry) => string,
): Answer {
  const named = name === undefined ? undefined : findProxy(program.registry, name, "backend");
  if (name !== undefined && named === undefined) return failure("Can't find backend.");
  const backends = named === undefined ? program.registry.proxies.filter((proxy) => proxy.isBackend) : [named];
  return dump(
    header + backends.flatMap((backend) => backend.servers.map((server) => line(program, backend, server))).join(""),
  );
}

export const showServersState: Operation = {
  words: ["show", "servers", "state"],
  args: "[<backend>]",
  level: "user",
  summary: "show each server's state, weight and address",
  run: ({ program }, [name]) => eachServer(program, name, `1\n${STATE_HEADER}\n`, stateLine),
};

export const showServersConn: Operation = {
  words: ["show", "servers", "conn"],
  args: "[<backend>]",
  level: "user",
  summary: "show how many sessions each server has",
  run({ program }, [name]) {
    const header =
      "# bkname/svname bkid/svid addr port - purge_delay served used_cur used_max need_est idle_sess unsafe_nb safe_nb " +
      `idle_lim idle_cur idle_per_thr[${program.threads}]\n`;
    return eachServer(program, name, header, connLine);
  },
};
