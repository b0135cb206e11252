// Frontends, and the limits on new sessions, as operators had left them before the start: who does not listen is known before the first
// port is bound, the rest follows with what else is restored. Control thread, at start.

import { frontendLimit } from "../build-registry.ts";
import type { CommitContext } from "../commit-context.ts";
import { setFrontendMaxconn, setProcessMaxconn } from "../frontends.ts";
import { findProxy, type ProxyEntry, type Registry } from "../registry.ts";
import type { OwnState } from "./own-format.ts";
import { configuredBinds, type OwnFrontend } from "./own-frontend.ts";

/** Each frontend that the file names, where the configuration has it. */
function* frontendsOf(registry: Registry, own: OwnState | undefined): Generator<[ProxyEntry, OwnFrontend]> {
  for (const saved of own?.frontends ?? []) {
    const proxy = findProxy(registry, saved.name, "frontend");
    if (proxy !== undefined && !proxy.config.disabled) yield [proxy, saved];
  }
}

/** Notes which frontends were disabled, and which were shut down and say no other addresses since. */
export function keepFrontendsShut(registry: Registry, own: OwnState | undefined): void {
  for (const [proxy, { paused, shutAt }] of frontendsOf(registry, own)) {
    proxy.stopped = shutAt === configuredBinds(proxy);
    proxy.paused = paused && !proxy.stopped;
  }
}

/** Limits hold as long as the configuration says what it said then. */
export async function restoreFrontends(
  context: CommitContext,
  own: OwnState,
  tell: (severity: "NOTICE" | "WARNING", text: string) => void,
): Promise<void> {
  const { registry } = context;
  if (own.maxconn?.configured === registry.maxconn) await setProcessMaxconn(context, own.maxconn.value);
  for (const [proxy, { maxconn }] of frontendsOf(registry, own)) {
    if (proxy.stopped) tell("NOTICE", `frontend ${proxy.name} stays shut, as before the crash. A restart opens it.`);
    else if (proxy.paused) tell("NOTICE", `frontend ${proxy.name} stays disabled (use 'enable frontend').`);
    if (maxconn?.configured === frontendLimit(proxy.config, registry.maxconn))
      await setFrontendMaxconn(context, proxy, maxconn.value);
  }
}
