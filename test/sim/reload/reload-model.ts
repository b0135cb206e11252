// What ought to be there after any sequence of reloads and orders: a model so simple that it can be read. It knows the configurations as
// data, what operators set, and what was removed when. It looks into the program for one thing only: whether what leaves is still there.

import { AdminState } from "../../../src/memory/server-row.ts";
import { type ConfigPlan, DRAIN_MS, type ServerPlan, staysMs, upstreamPort } from "./reload-config.ts";

const { FORCED_DRAIN, FORCED_MAINT } = AdminState;

/** What a server has, by the file or by an operator. */
export interface ServerValues {
  weight: number;
  maxconn: number;
  /** FORCED_MAINT and FORCED_DRAIN bits. */
  admin: number;
}

export interface ServerModel {
  /** "backend b0" */
  readonly section: string;
  readonly name: string;
  readonly port: number;
  /** The file's words; undefined: added at runtime. */
  file: ServerPlan | undefined;
  /** How long its sessions may stay once it is removed, by the configuration that it was last in. */
  staysMs: number;
  readonly values: ServerValues;
}

/** Something that was removed: from `endsMs` on its sessions may be ended, and none may be left once that was looked at. */
export interface Removal {
  readonly endsMs: number;
}

export class ReloadModel {
  config: ConfigPlan;
  readonly servers = new Map<string, ServerModel>();
  readonly leavingServers = new Map<string, ServerModel & Removal>();
  /** Sections by "frontend f0" or "listen b1". */
  readonly leavingSections = new Map<string, Removal>();
  /** Servers of the file that an operator deleted, with the words that they had. */
  readonly #deleted = new Map<string, string>();

  /** Servers whose sessions `on-maint` ends, and when none may be left: only those that are in maintenance and in the file. */
  readonly maintenanceEndsMs = new Map<string, number>();
  /** Those that it was so of at any time. */
  readonly everMaintained = new Set<string>();

  constructor(config: ConfigPlan) {
    this.config = config;
    for (const server of serversOf(config)) this.servers.set(keyOf(server), server);
  }

  /** `isThere`: whether something that leaves has sessions still, and can be taken back. */
  reload(next: ConfigPlan, nowMs: number, isThere: (key: string) => boolean): void {
    const hardStopMs = next.hardStopAfterMs > 0 ? next.hardStopAfterMs : Number.POSITIVE_INFINITY;
    const endsMs = (ownMs: number): number => nowMs + Math.min(ownMs, hardStopMs);
    const before = new Set(sectionsOf(this.config).map(({ name }) => name));
    const sections = sectionsOf(next);
    const after = new Set(sections.map(({ name }) => name));
    const wanted = serversOf(next);
    const wantedKeys = new Set(wanted.map(keyOf));
    for (const [key, server] of this.servers) {
      const isDynamic = server.file === undefined;
      if (after.has(server.section) && (isDynamic || wantedKeys.has(key))) continue;
      this.servers.delete(key);
      this.leavingServers.set(key, { ...server, endsMs: endsMs(server.staysMs) });
    }
    for (const { name, staysMs: ownMs } of sectionsOf(this.config)) {
      if (!after.has(name)) this.leavingSections.set(name, { endsMs: endsMs(ownMs) });
    }
    for (const { name } of sections) this.leavingSections.delete(name);
    for (const server of wanted) this.#place(server, before.has(server.section), isThere);
    const named = new Set(wanted.map(({ section, name }) => `${section}/${name}`));
    for (const name of this.#deleted.keys()) if (!named.has(name)) this.#deleted.delete(name);
    this.config = next;
  }

  #place(server: ServerModel, wasPresent: boolean, isThere: (key: string) => boolean): void {
    const key = keyOf(server);
    const name = `${server.section}/${server.name}`;
    const returning = isThere(key) ? this.leavingServers.get(key) : undefined;
    const known = this.servers.get(key) ?? returning;
    const words = wordsOf(server);
    if (known === undefined && wasPresent && this.#deleted.get(name) === words) return;
    this.#deleted.delete(name);
    this.leavingServers.delete(key);
    if (known !== undefined) adopt(server, known);
    this.servers.set(key, server);
  }

  /** To be called with what an operator or the file ordered, before it is carried out. */
  noteMaintenance(nowMs: number): void {
    for (const [key, { file, values }] of this.servers) {
      const isMeant = file !== undefined && file.onMaint >= 2 && (values.admin & FORCED_MAINT) !== 0;
      if (!isMeant) {
        this.maintenanceEndsMs.delete(key);
        continue;
      }
      this.everMaintained.add(key);
      const before = this.maintenanceEndsMs.get(key) ?? Number.POSITIVE_INFINITY;
      this.maintenanceEndsMs.set(key, Math.min(before, nowMs + (file.onMaint === 2 ? DRAIN_MS : 0)));
    }
  }

  /** An operator deleted it. */
  delete(key: string): void {
    this.maintenanceEndsMs.delete(key);
    const server = this.servers.get(key);
    if (server?.file !== undefined) this.#deleted.set(`${server.section}/${server.name}`, wordsOf(server));
    this.servers.delete(key);
    this.leavingServers.delete(key);
  }
}

/** A server's values: the file's where it says something else than before. */
function adopt(server: ServerModel, known: ServerModel): void {
  const { file: old, values } = known;
  const now = server.file;
  if (old === undefined || now === undefined) return;
  const { admin } = server.values;
  Object.assign(server.values, {
    weight: old.weight === now.weight ? values.weight : now.weight,
    maxconn: old.maxconn === now.maxconn ? values.maxconn : now.maxconn,
    admin: old.isDisabled === now.isDisabled ? values.admin : admin,
  });
}

/** All that the program compares before it says that a line has not changed. */
/** What the file says of it; whether `on-removed` is said of it or of its section is all the same. */
const wordsOf = ({ port, file, staysMs }: ServerModel): string =>
  JSON.stringify([port, file && { ...file, onRemoved: staysMs }, staysMs === Number.POSITIVE_INFINITY]);

export const keyOf = ({ section, name, port }: Pick<ServerModel, "section" | "name" | "port">): string =>
  `${section}/${name}@${port}`;

/** The sections of a configuration, and how long sessions that came in by one may stay when it is removed. */
export function sectionsOf({ backends, frontends }: ConfigPlan): readonly { name: string; staysMs: number }[] {
  return [
    ...frontends.flatMap((frontend, i) =>
      frontend === null ? [] : [{ name: `frontend f${i}`, staysMs: staysMs(0, frontend.onRemoved) }],
    ),
    ...backends.flatMap((backend, i) =>
      backend === null ? [] : [{ name: `${backend.kind} b${i}`, staysMs: staysMs(0, backend.onRemoved) }],
    ),
  ];
}

function serversOf(config: ConfigPlan): readonly ServerModel[] {
  return config.backends.flatMap((backend, b) =>
    (backend?.servers ?? []).flatMap((file, s): ServerModel[] => {
      if (backend === null || file === null) return [];
      const values = { weight: file.weight, maxconn: file.maxconn, admin: file.isDisabled ? FORCED_MAINT : 0 };
      return [
        {
          section: `${backend.kind} b${b}`,
          name: `s${s}`,
          port: upstreamPort(b, s, file.address),
          file,
          staysMs: staysMs(file.onRemoved, backend.onRemoved),
          values,
        },
      ];
    }),
  );
}

/** The bits that the model keeps. */
export const MODEL_ADMIN = FORCED_MAINT | FORCED_DRAIN;
