// All names of the program: which section resolves which server, from the start, after `set server ... fqdn`, until `del server`.
// Control thread; puts the parts of this folder together.

import { sameValue } from "../../config/diff/same-value.ts";
import { isServiceName, type NameserverConfig, type ResolversConfig } from "../../config/resolvers-model.ts";
import type { SharedMemory } from "../../memory/shared-memory.ts";
import type { Change, Receipt } from "../change.ts";
import type { ProxyEntry, Registry, ServerEntry } from "../registry.ts";
import type { NameserverCounters } from "./counters.ts";
import { canonicalName } from "./message.ts";
import { openNameserver } from "./nameserver.ts";
import { type Clock, Resolver } from "./resolver.ts";
import { type NameContext, ServerName } from "./server-name.ts";
import { type ServiceContext, ServiceName } from "./service-name.ts";

/** One section, for `show resolvers`. */
export interface ResolversView {
  readonly name: string;
  readonly nameservers: readonly { readonly id: string; readonly counters: Readonly<NameserverCounters> }[];
}

const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  at(atMs, call) {
    const timer = setTimeout(call, Math.max(0, Math.ceil(atMs - performance.now())));
    return () => clearTimeout(timer);
  },
};

export class Names {
  private readonly memory: SharedMemory;
  private readonly apply: (change: Change) => void;
  private readonly resolvers = new Map<string, Resolver>();
  private readonly makeResolver: (config: ResolversConfig) => Resolver;
  private readonly names = new Map<ServerEntry, { readonly name: ServerName; readonly resolver: Resolver }>();
  private readonly byBackend = new Map<ProxyEntry, Set<ServerName>>();
  private readonly services = new Map<ServerEntry, { readonly service: ServiceName; readonly resolver: Resolver }>();

  /** `sections`: with addresses in place of nameservers' names. Nothing is asked before `start`. */
  constructor(
    sections: readonly ResolversConfig[],
    memory: SharedMemory,
    commit: (change: Change) => Promise<Receipt>,
    clock: Clock = SYSTEM_CLOCK,
    open: typeof openNameserver = openNameserver,
  ) {
    this.memory = memory;
    this.apply = (change) => void commit(change);
    this.makeResolver = (config) =>
      new Resolver(config, clock, (listen) =>
        config.nameservers.map((nameserver: NameserverConfig) => open(nameserver, listen)),
      );
    for (const config of sections) this.resolvers.set(config.name, this.makeResolver(config));
  }

  get sections(): readonly ResolversView[] {
    return [...this.resolvers.values()].map(({ config, counters }) => ({ name: config.name, nameservers: counters }));
  }

  /** Begins to ask for every server's name. Servers of disabled sections have no use for one. */
  start(registry: Registry): void {
    for (const backend of registry.proxies) {
      if (!backend.isBackend || backend.config.disabled) continue;
      this.startServices(backend);
      for (const server of backend.servers) if (server.service === undefined) this.follow(server, server.fqdn);
    }
  }

  /** A reload: sections that say the same go on; the servers of the others, and those in `changed`, are followed anew. */
  reload(sections: readonly ResolversConfig[], registry: Registry, changed: ReadonlySet<ServerEntry>): void {
    const fresh = new Set<string>();
    const before = new Map(this.resolvers);
    this.resolvers.clear();
    for (const config of sections) {
      const known = before.get(config.name);
      const isSame = known !== undefined && sameValue(known.config, config);
      if (!isSame) fresh.add(config.name);
      this.resolvers.set(config.name, isSame ? known : this.makeResolver(config));
      if (isSame) before.delete(config.name);
    }
    const isConcerned = (server: ServerEntry): boolean =>
      changed.has(server) || fresh.has(server.config.resolution?.resolvers ?? "");
    for (const server of changed) this.forget(server);
    for (const backend of registry.proxies) {
      if (!backend.isBackend || !backend.servers.some(isConcerned)) continue;
      const ofService = backend.servers.filter((server) => server.service !== undefined);
      for (const server of ofService) this.forget(server);
      if (backend.config.disabled) continue;
      this.startServices(backend);
      for (const server of backend.servers) {
        if (server.service !== undefined || !isConcerned(server)) continue;
        this.follow(server, server.leaving === undefined ? server.fqdn : undefined);
      }
    }
    for (const resolver of before.values()) resolver.stop();
  }

  /** The operator gave the server another name. */
  renamed(server: ServerEntry): void {
    if (server.service === undefined) this.follow(server, server.fqdn);
  }

  forget(server: ServerEntry): void {
    this.follow(server, undefined);
    const entry = this.services.get(server);
    this.services.delete(server);
    if (entry?.service.remove(server)) entry.resolver.unlink(entry.service);
  }

  stop(): void {
    for (const resolver of this.resolvers.values()) resolver.stop();
  }

  /** The servers of a backend that name the same service share its places. */
  private startServices(backend: ProxyEntry): void {
    const groups = new Map<string, ServerEntry[]>();
    for (const server of backend.servers) {
      if (server.leaving !== undefined || server.service === undefined || !isServiceName(server.service)) continue;
      const key = `${server.config.resolution?.resolvers} ${canonicalName(server.service)}`;
      groups.set(key, [...(groups.get(key) ?? []), server]);
    }
    for (const servers of groups.values()) {
      const [first] = servers;
      const resolver = first === undefined ? undefined : this.resolverOf(first);
      if (first?.service === undefined || resolver === undefined) continue;
      const context: ServiceContext = {
        ...this.contextOf(resolver),
        resolveTarget: (server, target) => this.follow(server, target),
      };
      const service = new ServiceName(servers, context);
      for (const server of servers) this.services.set(server, { service, resolver });
      resolver.link(canonicalName(first.service), "SRV", service);
    }
  }

  /** Resolves `fqdn` for the server from now on, in place of what it had; undefined: nothing. */
  private follow(server: ServerEntry, fqdn: string | undefined): void {
    const before = this.names.get(server);
    if (before !== undefined) {
      before.resolver.unlink(before.name);
      this.byBackend.get(server.backend)?.delete(before.name);
      this.names.delete(server);
    }
    const { resolution } = server.config;
    const resolver = this.resolverOf(server);
    if (fqdn === undefined || resolution === undefined || resolver === undefined) return;
    const name = new ServerName(server, resolution, this.contextOf(resolver));
    this.names.set(server, { name, resolver });
    const others = this.byBackend.get(server.backend) ?? new Set<ServerName>();
    this.byBackend.set(server.backend, others.add(name));
    resolver.link(canonicalName(fqdn), resolution.prefer === "ipv4" ? "A" : "AAAA", name);
  }

  private resolverOf({ config }: ServerEntry): Resolver | undefined {
    const section = config.resolution?.resolvers;
    return section === undefined ? undefined : this.resolvers.get(section);
  }

  private contextOf(resolver: Resolver): NameContext {
    return {
      memory: this.memory,
      apply: this.apply,
      hold: resolver.config.hold,
      others: (server) => this.byBackend.get(server.backend) ?? [],
    };
  }
}
