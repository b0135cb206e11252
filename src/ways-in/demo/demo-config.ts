// The configuration that the demo runs: examples/quickstart.cfg with addresses that are free here, and without its log lines,
// which would write over the live view. Pure.

export interface DemoAddresses {
  /** Port of the balancer. */
  readonly entrance: number;
  /** Ports of the servers by name. */
  readonly servers: Readonly<Record<string, number>>;
  readonly socketPath: string;
}

/** What quickstart.cfg names; undefined if the file is not as the demo needs it. */
export function addressesOf(quickstart: string): DemoAddresses | undefined {
  const entrance = /^\s*bind\s+127\.0\.0\.1:(\d+)/m.exec(quickstart)?.[1];
  const socketPath = /^\s*stats\s+socket\s+(?:unix@)?(\S+)/m.exec(quickstart)?.[1];
  const servers = [...quickstart.matchAll(/^\s*server\s+(\S+)\s+127\.0\.0\.1:(\d+)/gm)];
  if (entrance === undefined || socketPath === undefined || servers.length === 0) return undefined;
  return {
    entrance: Number(entrance),
    servers: Object.fromEntries(servers.map(([, name, port]) => [name, Number(port)])),
    socketPath,
  };
}

/** The file's text with other addresses. */
export function demoConfig(quickstart: string, addresses: DemoAddresses): string {
  return quickstart
    .split("\n")
    .filter((line) => !/^\s*(?:log\s|option\s+tcplog)/.test(line))
    .map((line) =>
      line
        .replace(/^(\s*bind\s+127\.0\.0\.1:)\d+/, `$1${addresses.entrance}`)
        .replace(/^(\s*stats\s+socket\s+)\S+/, `$1unix@${addresses.socketPath}`)
        .replace(/^(\s*server\s+(\S+)\s+127\.0\.0\.1:)(\d+)/, (_, head: string, name: string, port: string) => {
          return `${head}${addresses.servers[name] ?? port}`;
        }),
    )
    .join("\n");
}
