// What a plan and a receipt are made of: things of the configuration by name, and what differs between two configurations without a look
// at what runs. Pure; any thread.

import type { Steps } from "../../../base/turns.ts";
import { formatEndpoint } from "../../../config/address.ts";
import type { BindOf, ConfigDiff, Kept, ListDiff } from "../../../config/diff/model.ts";
import type { RemovalPolicy } from "../../../config/health-model.ts";
import type { Config, ProxyConfig, ServerConfig } from "../../../config/model.ts";
import type {
  ChangedServer,
  Fate,
  NamedListener,
  PlannedList,
  PlannedProxy,
  PlannedServer,
  ReloadPlan,
} from "./model.ts";

export const plannedProxy = ({ kind, name, place, servers }: ProxyConfig): PlannedProxy => ({
  kind,
  name,
  servers: servers.length,
  place,
});

export const plannedServer = (
  { name: backend }: Pick<ProxyConfig, "name">,
  { name, endpoint, place }: ServerConfig,
): PlannedServer => ({ backend, server: name, address: formatEndpoint(endpoint), place });

export const namedListener = ({ bind, proxy }: BindOf): NamedListener => ({
  address: formatEndpoint(bind.endpoint),
  frontend: proxy.name,
  place: bind.place,
});

/** What becomes of so many sessions, by `on-removed` of what they hold and by `hard-stop-after` of the new configuration. */
export function fateOf({ global }: Config, sessions: number, policy: RemovalPolicy = { kind: "keep" }): Fate {
  const own = policy.kind === "keep" ? Number.POSITIVE_INFINITY : policy.kind === "drain" ? policy.timeMs : 0;
  const endsAfterMs = Math.min(own, global.hardStopAfterMs ?? Number.POSITIVE_INFINITY);
  return { sessions, policy, endsAfterMs: endsAfterMs === Number.POSITIVE_INFINITY ? null : endsAfterMs };
}

export const hasChanges = ({ changes }: { readonly changes: readonly unknown[] }): boolean => changes.length > 0;

/** The sections that are kept, and say something else. */
export const changedProxies = ({ proxies }: ConfigDiff): ReloadPlan["proxies"]["changed"] =>
  proxies.kept.filter(hasChanges).map(({ new: { kind, name, place }, changes }) => ({ kind, name, changes, place }));

/** The servers that are kept, and whose lines, or what they have from their section, say something else. */
export function* changedServers({ proxies }: ConfigDiff): Steps<ReloadPlan["servers"]["changed"]> {
  const changed: ChangedServer[] = [];
  for (const { new: proxy, servers } of proxies.kept) {
    yield;
    for (const { new: now, changes } of servers.kept) {
      if (changes.length === 0) continue;
      const { name: server, endpoint, place } = now;
      // Written out, because there may be very many.
      changed.push({ backend: proxy.name, server, address: formatEndpoint(endpoint), place, changes });
    }
  }
  return changed;
}

/** All that is no section, server or listener. */
export function otherParts(
  diff: ConfigDiff,
): Pick<
  ReloadPlan,
  "hasChanges" | "needsRestart" | "global" | "resolvers" | "logTargets" | "statsSockets" | "statsSections"
> {
  return {
    hasChanges: diff.hasChanges,
    needsRestart: diff.global.some(({ effect }) => effect === "needs a restart"),
    global: diff.global,
    resolvers: plannedList(diff.resolvers, ({ name }) => name),
    logTargets: plannedList(diff.logTargets, ({ target }) =>
      target.kind === "udp"
        ? `${target.host}:${target.port}`
        : target.kind === "unix"
          ? target.path
          : `fd@${target.fd}`,
    ),
    statsSockets: plannedList(diff.statsSockets, ({ endpoint }) => formatEndpoint(endpoint)),
    statsSections: plannedList(diff.statsSections, ({ name }) => name),
  };
}

function plannedList<T>({ added, kept, removed }: ListDiff<T>, nameOf: (item: T) => string): PlannedList {
  const changed = kept.filter(hasChanges).map(({ new: now, changes }: Kept<T>) => ({ name: nameOf(now), changes }));
  return { added: added.map(nameOf), changed, removed: removed.map(nameOf) };
}
