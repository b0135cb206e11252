// `add server <b>/<s> <address> [words]`: a new server, in maintenance until it is enabled.

import type { ServerConfig } from "../config/model.ts";
import { invalidNameCharacter } from "../config/names.ts";
import { parseServerAddress, parseServerWords } from "../config/server-line.ts";
import type { Change } from "../control/change.ts";
import type { ProxyEntry } from "../control/registry.ts";
import { answerOf, DUPLICATE_NAME, failure, info } from "./answers.ts";
import type { Operation } from "./operation.ts";
import { type Found, findBackend, splitServerName } from "./targets.ts";

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
    const [, address, ...words] = args;
    if (address === undefined) return failure("'server' expects <name> and <addr>[:<port>] as arguments.");
    const server = readServer(backend.found, names.found.server, address, words);
    if (server.error !== undefined) return failure(server.error);
    const change: Change = { kind: "add-server", backend: backend.found, server: server.found };
    return answerOf(change, await program.commit(change), info("New server registered."));
  },
};

function readServer(backend: ProxyEntry, name: string, address: string, words: readonly string[]): Found<ServerConfig> {
  if (backend.servers.some((server) => server.name === name)) return { error: DUPLICATE_NAME };
  const bad = invalidNameCharacter(name);
  if (bad !== undefined) return { error: `'${bad}' is not allowed in the name of a server.` };
  const where = parseServerAddress(address);
  if (!where.ok) return { error: `'server ${name}' : ${where.error}` };
  const read = parseServerWords(words, backend.config.defaultServer, where.portKind === "fixed");
  if (!read.ok) return { error: read.error };
  const { settings, id } = read.server;
  const owner = backend.servers.find((server) => server.id === id);
  if (owner !== undefined) {
    const { file, line } = owner.config.place;
    return { error: `'id' : custom id ${id} already used at ${file}:${line} ('server ${owner.name}').` };
  }
  return {
    found: {
      ...settings,
      name,
      id: id ?? firstFreeId(backend),
      idForced: id !== undefined,
      endpoint: where.endpoint,
      portKind: where.portKind,
      place: { file: "the Runtime API", line: 0, column: 0 },
    },
  };
}

function firstFreeId(backend: ProxyEntry): number {
  const taken = new Set(backend.servers.map((server) => server.id));
  let id = 1;
  while (taken.has(id)) id++;
  return id;
}
