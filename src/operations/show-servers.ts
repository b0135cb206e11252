// `show servers state` and `show servers conn`: one line a server. The first is also the format of HAProxy's server state files.

import type { Program } from "../control/program.ts";
import { findProxy, type ProxyEntry, type ServerEntry } from "../control/registry.ts";
import { STATE_HEADER, STATE_VERSION, shownHost, shownPortNumber, stateLine } from "../control/state/state-columns.ts";
import { SERVER_WORDS, V_SERVED, V_SERVED_MAX } from "../memory/server-row.ts";
import { dump, failure } from "./answers.ts";
import type { Answer, Operation } from "./operation.ts";

/** HAProxy's default for idle connections, which TCP does not have. */
const PURGE_DELAY_MS = 5000;

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
  run: ({ program }, [name]) =>
    eachServer(
      program,
      name,
      `${STATE_VERSION}\n${STATE_HEADER}\n`,
      (program, _, server) => `${stateLine(program.memory, server)}\n`,
    ),
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
