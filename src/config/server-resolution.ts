// What the words of a server say about its name, and what becomes of them: pure, for the configuration and for `add server`.

import { isIP } from "node:net";
import type { Endpoint, ServerConfig } from "./model.ts";
import type { ServerResolution } from "./resolvers-model.ts";

/** As written; what is absent was not said. */
export interface ResolveWords {
  readonly resolvers?: string;
  readonly prefer?: "ipv4" | "ipv6";
  readonly networks?: readonly string[];
  readonly allowDuplicates?: boolean;
  readonly ignoreWeight?: boolean;
  readonly initAddr?: readonly string[];
  readonly cutOnAddressChange?: boolean;
}

/** The words as a server has them: its own and those of `default-server`, with what holds where nothing is said. */
export function resolveNames(
  endpoint: Endpoint,
  words: ResolveWords = NO_WORDS,
): Pick<ServerConfig, "resolution" | "onAddressChange"> {
  const onAddressChange = words.cutOnAddressChange ? "shutdown-sessions" : undefined;
  return { resolution: resolutionOf(endpoint, words), onAddressChange };
}

const NO_WORDS: ResolveWords = {};

function resolutionOf(endpoint: Endpoint, words: ResolveWords): ServerResolution | undefined {
  if (endpoint.kind !== "inet") return undefined;
  const { resolvers } = words;
  // A server with an address can be given a name later, if it has resolvers.
  if (resolvers === undefined && isIP(endpoint.host) !== 0) return undefined;
  const byDefault = resolvers === undefined ? ["last", "libc"] : ["last", "libc", "none"];
  return {
    ...(resolvers === undefined ? {} : { resolvers }),
    prefer: words.prefer ?? "ipv6",
    networks: words.networks ?? [],
    allowDuplicates: words.allowDuplicates ?? false,
    ignoreWeight: words.ignoreWeight ?? false,
    initAddr: words.initAddr ?? byDefault,
  };
}
