// A server's words and its backend's check to what the checks run: ports, addresses, TLS and steps settled. Pure; control thread.

import type {
  AgentConfig,
  CheckConfig,
  CheckProtocol,
  CheckTls,
  ConnectStep,
  HealthPolicy,
  RemovalPolicy,
  SessionPolicy,
} from "../health-model.ts";
import type { HealthWords } from "./health-words.ts";
import type { ProtocolTemplate } from "./protocol.ts";
import type { ConnectRule } from "./rules.ts";

/** What a backend says about the checks of its servers. */
export interface BackendChecks {
  /** The backend's name. */
  readonly backend: string;
  readonly protocol: ProtocolTemplate;
  readonly timeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** `cut-guard` of the backend. */
  readonly cutGuardPercent?: number;
  /** Of all servers that say nothing else. Absent: nothing was said. */
  readonly sessions?: SessionPolicy;
  /** `on-removed` of the backend. */
  readonly onRemoved?: RemovalPolicy;
}

/** A server's health, as the model has it. */
export interface ServerHealth {
  readonly health?: CheckConfig;
  readonly agent?: AgentConfig;
  readonly policy: HealthPolicy;
}

/** A server's health for the model, from its own words and what its backend says of checks. */
export function resolveHealth(words: HealthWords, checks: BackendChecks): ServerHealth {
  const agent = agentOf(words);
  return {
    ...(words.check ? { health: checkOf(words, checks) } : {}),
    ...(agent === undefined ? {} : { agent }),
    policy: policyOf(words, checks),
  };
}

function checkOf(words: HealthWords, { protocol, timeoutMs, connectTimeoutMs }: BackendChecks): CheckConfig {
  const port = words.port ?? (words.addr?.port || undefined);
  return {
    ...(words.addr === undefined ? {} : { addr: words.addr.host }),
    ...(port === undefined ? {} : { port }),
    interMs: words.interMs,
    fastInterMs: words.fastInterMs ?? words.interMs,
    downInterMs: words.downInterMs ?? words.interMs,
    rise: words.rise,
    fall: words.fall,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    sendProxy: words.sendProxy,
    ...(words.ssl ? { tls: tlsOf(words, words.sni, words.alpn) } : {}),
    protocol: resolveProtocol(protocol, words),
    initState: words.initState,
  };
}

function tlsOf(words: HealthWords, sni: string | undefined, alpn: readonly string[]): CheckTls {
  return {
    verify: words.verify !== "none",
    ...(words.verifyHost === undefined ? {} : { verifyHost: words.verifyHost }),
    ...(words.caFile === undefined ? {} : { caFile: words.caFile }),
    ...(words.crtFile === undefined ? {} : { crtFile: words.crtFile }),
    ...(sni === undefined ? {} : { sni }),
    alpn,
  };
}

function resolveProtocol(protocol: ProtocolTemplate, words: HealthWords): CheckProtocol {
  if (protocol.kind === "http") {
    return {
      ...protocol,
      steps: protocol.steps.map((step) => (step.kind === "connect" ? connectOf(step, words) : step)),
    };
  }
  if (protocol.kind !== "tcp-check") return protocol;
  return {
    kind: "tcp-check",
    steps: protocol.steps.map((step) => (step.kind === "connect" ? connectOf(step, words) : step)),
  };
}

/** A connect step has the server's TLS and PROXY header only where it says `default`; authorities are always the server's. */
function connectOf(rule: ConnectRule, words: HealthWords): ConnectStep {
  const { isDefault, ssl, sni, alpn, sendProxy, ...step } = rule;
  const usesTls = ssl || (isDefault && words.ssl);
  const name = sni ?? (isDefault ? words.sni : undefined);
  const protocols = alpn.length > 0 || !isDefault ? alpn : words.alpn;
  return {
    ...step,
    sendProxy: sendProxy || (isDefault && words.sendProxy),
    ...(usesTls ? { tls: tlsOf(words, name, protocols) } : {}),
  };
}

/** The agent's port: that of `agent-port`, else that of `port`. */
function agentPortOf(words: HealthWords): number | undefined {
  return words.agentPort ?? words.port;
}

function agentOf(words: HealthWords): AgentConfig | undefined {
  const port = agentPortOf(words);
  if (!words.agent || port === undefined) return undefined;
  const addr = words.agentAddr ?? words.addr?.host;
  return {
    ...(addr === undefined ? {} : { addr }),
    port,
    interMs: words.agentInterMs ?? words.interMs,
    ...(words.agentSend === undefined ? {} : { send: words.agentSend }),
  };
}

function policyOf(words: HealthWords, checks: BackendChecks): HealthPolicy {
  const { backend, cutGuardPercent, onRemoved, sessions: ofAll } = checks;
  const { track, markedDownShutdown, errorLimit = 10, onError = "fail-check" } = words;
  const sessions = { ...ofAll, ...words.sessions };
  const removal = words.onRemoved ?? onRemoved;
  return {
    ...(markedDownShutdown === false ? {} : { onMarkedDown: markedDownShutdown }),
    onMarkedUpShutdownBackupSessions: words.markedUpShutdownBackups,
    cutGuardPercent: words.cutGuardPercent ?? cutGuardPercent ?? 0,
    slowStartMs: words.slowStartMs ?? 0,
    ...(words.observe ? { observe: { errorLimit, onError } } : {}),
    ...(Object.keys(sessions).length === 0 ? {} : { sessions }),
    ...(removal === undefined || removal.kind === "keep" ? {} : { onRemoved: removal }),
    ...(track === undefined
      ? {}
      : { track: { backend: track.backend ?? backend, server: track.server, place: track.place } }),
  };
}

export interface HealthProblem {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** The word of the server's line that it is about. */
  readonly word: string;
}

/**
 * What HAProxy refuses in the words of one server once its backend is known. `ownPort`: its address has a port of its
 * own (or none is needed).
 */
export function healthProblems(
  words: HealthWords,
  protocol: ProtocolTemplate,
  ownPort: boolean,
): readonly HealthProblem[] {
  const problems: HealthProblem[] = [];
  const add = (code: string, word: string, message: string, hint?: string): void => {
    problems.push({ code, word, message, ...(hint === undefined ? {} : { hint }) });
  };
  if (words.track !== undefined && words.check) {
    add(
      "check-and-track",
      "track",
      "'check' and 'track' exclude each other",
      "the server tracked is the one that is checked",
    );
  }
  if (words.track !== undefined && words.initState !== "none") {
    add("check-and-track", "init-state", "'init-state' and 'track' exclude each other");
  }
  if (words.agent && agentPortOf(words) === undefined) {
    add("no-agent-port", "agent-check", "'agent-check' needs an 'agent-port'");
  }
  if (
    (words.ssl || connects(protocol).some((step) => step.ssl)) &&
    words.verify !== "none" &&
    words.caFile === undefined
  ) {
    const hint = "name the authorities with 'ca-file', or say 'verify none' where the network is trusted";
    add("no-ca-file", "check-ssl", "checks over TLS verify the certificate, but no 'ca-file' is given", hint);
  }
  if (words.check && !ownPort && !hasCheckPort(words, protocol)) {
    add("no-check-port", "check", "the server has no port of its own, and no 'port' to check");
  }
  return problems;
}

function connects(protocol: ProtocolTemplate): readonly ConnectRule[] {
  if (protocol.kind !== "http" && protocol.kind !== "tcp-check") return [];
  const steps: readonly { readonly kind: string }[] = protocol.steps;
  return steps.filter((step): step is ConnectRule => step.kind === "connect");
}

function hasCheckPort(words: HealthWords, protocol: ProtocolTemplate): boolean {
  if (protocol.kind === "external" || words.port !== undefined || (words.addr?.port ?? 0) !== 0) return true;
  const steps = connects(protocol);
  return steps.length > 0 && steps.every((step) => step.port !== undefined);
}
