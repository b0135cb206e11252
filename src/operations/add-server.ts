// `add server <b>/<s> <address> [words]`: a new server, in maintenance until it is enabled.

import { readAddedServer } from "../control/add-server.ts";
import type { Change } from "../control/change.ts";
import { answerOf, DUPLICATE_NAME, failure, info } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { findBackend, splitServerName } from "./targets.ts";

export const addServer: Operation = {
  words: ["add", "server"],
  args: "<b>/<s> <address> [<word>]*",
  level: "admin",
  summary: "add a server, in maintenance until it is enabled",
  async run({ program }, args) {
    const names = splitServerName(args[0]);
    if (names.error !== undefined) return failure(names.error);
    const backend = findBackend(program.registry, names.found.backend);
    if (backend.error !== undefined) return failure(backend.error);
    const [, ...words] = args;
    if (words.length === 0) return failure("'server' expects <name> and <addr>[:<port>] as arguments.");
    const name = names.found.server;
    if (backend.found.servers.some((server) => server.name === name)) return failure(DUPLICATE_NAME);
    const read = readAddedServer(backend.found, name, words);
    if ("error" in read) return failure(read.error);
    const change: Change = { kind: "add-server", backend: backend.found, server: read.server, words };
    return answerOf(change, await program.commit(change), info("New server registered."));
  },
};
