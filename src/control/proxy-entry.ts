// A proxy as the registry keeps it, made of its configuration. Control thread.

import type { ProxyConfig } from "../config/model.ts";
import { createBackendPolicies } from "./reconcile/policy-state.ts";
import type { ProxyEntry } from "./registry.ts";

/** `index`: its row. Without servers and listeners yet. */
export function newProxyEntry(index: number, config: ProxyConfig): ProxyEntry {
  return {
    index,
    id: config.id,
    name: config.name,
    config,
    isFrontend: config.kind !== "backend",
    isBackend: config.kind !== "frontend",
    listeners: [],
    servers: [],
    stopped: false,
    paused: false,
    lendsPorts: false,
    lastChangeMs: Date.now(),
    downMs: 0,
    downSinceMs: undefined,
    downTransitions: 0,
    policies: createBackendPolicies(),
    isDeleted: false,
    leaving: undefined,
  };
}
