// Finding what a command names: `<backend>/<server>`, `<backend>`, `<frontend>`, each by name or `#<id>`, with HAProxy's texts for
// what is missing.

import { findProxy, findServer, type ProxyEntry, type Registry, type ServerEntry } from "../control/registry.ts";
import { NO_SUCH_BACKEND, NO_SUCH_SERVER } from "./answers.ts";

/** Either what was named, or the text that says why not. */
export type Found<T> =
  | { readonly found: T; readonly error?: undefined }
  | { readonly found?: undefined; readonly error: string };

/** The two parts of `<backend>/<server>`. */
export function splitServerName(
  word: string | undefined,
): Found<{ readonly backend: string; readonly server: string }> {
  const slash = word?.indexOf("/") ?? -1;
  if (word === undefined || slash < 0 || slash === word.length - 1) return { error: "Require 'backend/server'." };
  return { found: { backend: word.slice(0, slash), server: word.slice(slash + 1) } };
}

/** The backend that a name, or `#<id>`, means. */
export function findBackend(registry: Registry, name: string): Found<ProxyEntry> {
  const backend = findProxy(registry, name, "backend");
  return backend === undefined ? { error: NO_SUCH_BACKEND } : { found: backend };
}

/** The frontend that a name means. */
export function findFrontend(registry: Registry, name: string | undefined): Found<ProxyEntry> {
  if (name === undefined) return { error: "A frontend name is expected." };
  const frontend = findProxy(registry, name, "frontend");
  return frontend === undefined ? { error: "No such frontend." } : { found: frontend };
}

/** The server that `<backend>/<server>` names. */
export function findTarget(registry: Registry, word: string | undefined): Found<ServerEntry> {
  const names = splitServerName(word);
  if (names.error !== undefined) return names;
  const backend = findBackend(registry, names.found.backend);
  if (backend.error !== undefined) return backend;
  const server = findServer(backend.found, names.found.server);
  return server === undefined ? { error: NO_SUCH_SERVER } : { found: server };
}
