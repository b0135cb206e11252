// Options by which subcommands name the stats socket they talk to, as commander takes them.

export const SOCKET_OPTION = [
  "-s, --socket <address>",
  "stats socket: a path, or host:port (else $HEADGATE_SOCKET)",
] as const;

export const FILE_OPTION: [string, string, (file: string, all: string[] | undefined) => string[]] = [
  "-f <file>",
  "take the first stats socket of this configuration (repeatable)",
  (file, all) => [...(all ?? []), file],
];
