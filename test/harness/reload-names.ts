// What a reload did, by names alone, so that tests can say what they expect in a line. Pure.

import type { ReloadReport } from "../../src/control/reload/model.ts";
import type { PlannedServer } from "../../src/control/reload/plan/model.ts";
import { removalPolicyText } from "../../src/control/reload/removal-policy.ts";

/** Something that leaves with sessions; of a server under the name that it is reached by from then on. */
export interface Departure {
  readonly name: string;
  readonly sessions: number;
  /** As `on-removed` is written. */
  readonly policy: string;
}

/** Servers as "backend/server", listening addresses as configured. What leaves with sessions is `leaving`, without `removed`. */
export function reloadNames(report: ReloadReport) {
  const { proxies, servers, listeners } = report;
  const names = (list: readonly PlannedServer[]): string[] => list.map(({ backend, server }) => `${backend}/${server}`);
  const addresses = (list: readonly { readonly address: string }[]): string[] => list.map(({ address }) => address);
  const called = servers.leaving.map(({ backend, called: name, sessions, policy }) => ({
    name: `${backend}/${name}`,
    sessions,
    policy: removalPolicyText(policy),
  }));
  return {
    proxies: {
      kept: proxies.kept,
      added: proxies.added.map(({ name }) => name),
      leaving: proxies.leaving.map(({ name, sessions }) => ({ name, sessions })),
    },
    servers: {
      kept: servers.kept,
      added: names(servers.added),
      changed: names(servers.changed),
      adopted: names(servers.adopted),
      dynamic: names(servers.dynamic),
      staysDeleted: names(servers.staysDeleted),
      leaving: called.filter(({ sessions }) => sessions > 0) satisfies Departure[],
      removed: called.filter(({ sessions }) => sessions === 0).map(({ name }) => name),
    },
    listeners: {
      kept: listeners.kept,
      opened: addresses(listeners.opened),
      moved: listeners.moved.map(({ address, from, frontend }) => ({ address, from, to: frontend })),
      closed: addresses(listeners.closed),
    },
    /** "be/a weight 7 -> 20", and what stays at runtime the same way: the runtime value, then the file's. */
    overruled: report.overruled.map(({ of, setting, runtime, file }) => `${of} ${setting} ${runtime} -> ${file}`),
    staying: report.staying.map(({ of, setting, runtime, file }) => `${of} ${setting} ${runtime}, file ${file}`),
    global: report.global.map(({ name }) => name),
    ended: report.ended,
  };
}
