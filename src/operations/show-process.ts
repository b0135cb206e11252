// Small reports about the process: version, environment, backends' names, this connection's level, the stats sockets.

import { statsOf } from "../control/stats/program-stats.ts";
import { dump, failure, info } from "./answers.ts";
import type { Operation } from "./operation.ts";

export const showVersion: Operation = {
  words: ["show", "version"],
  args: "",
  level: "user",
  summary: "show the version of the process",
  run: ({ program }) => info(program.version),
};

export const showEnv: Operation = {
  words: ["show", "env"],
  args: "[<variable>]",
  level: "operator",
  summary: "show environment variables of the process",
  run(_, [name]) {
    const variables = Object.entries(process.env).filter(([key]) => name === undefined || key === name);
    if (name !== undefined && variables.length === 0) return failure("Variable not found");
    return dump(variables.map(([key, value]) => `${key}=${value}\n`).join(""));
  },
};

export const showBackend: Operation = {
  words: ["show", "backend"],
  args: "",
  level: "user",
  summary: "list the backends",
  run({ program }) {
    const names = program.registry.proxies.filter((proxy) => proxy.isBackend).map((proxy) => `${proxy.name}\n`);
    return dump(`# name\n${names.join("")}`);
  },
};

export const showCliLevel: Operation = {
  words: ["show", "cli", "level"],
  args: "",
  level: "user",
  summary: "show this connection's level",
  run: ({ connection }) => info(connection.level),
};

export const showCliSockets: Operation = {
  words: ["show", "cli", "sockets"],
  args: "",
  level: "user",
  summary: "list the stats sockets",
  run({ program }) {
    const lines = statsOf(program).controlConnections.sockets.map(
      (socket) => `${socket.address} ${socket.level} all\n`,
    );
    return dump(`# socket lvl processes\n${lines.join("")}`);
  },
};
