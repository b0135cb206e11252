// What only shows about checks when all sections are read: ports and authorities, rules without their option, `track`. Control thread.
// Errors and warnings are HAProxy's; sections that are disabled are not asked.

import type { Steps } from "../../base/turns.ts";
import type { Drafts } from "../build.ts";
import { type DiagnosticList, lineSpan, type Span, tokenSpan } from "../diagnostics.ts";
import type { ProxyDraft, ServerEntry } from "../drafts.ts";
import { didYouMean } from "../nearest.ts";
import type { HealthWords } from "./health-words.ts";
import { protocolOf } from "./protocol.ts";
import { type HealthProblem, healthProblems } from "./resolve-health.ts";

type Problems = readonly HealthProblem[];

export function* validateHealth({ proxies, global }: Drafts, diagnostics: DiagnosticList): Steps<void> {
  for (const proxy of proxies) {
    yield;
    if (proxy.disabled || proxy.kind === "frontend" || proxy.mode !== "tcp") continue;
    checkRules(proxy, global.externalCheck, diagnostics);
    const protocol = protocolOf(proxy.checks);
    // Most servers of a section have the same words.
    const known = { own: new Map<HealthWords, Problems>(), none: new Map<HealthWords, Problems>() };
    for (const server of proxy.servers) {
      const { words } = server.settings;
      const ownPort = server.portKind === "fixed" || server.endpoint.kind !== "inet";
      const found = ownPort ? known.own : known.none;
      const problems = found.get(words) ?? healthProblems(words, protocol, ownPort);
      found.set(words, problems);
      for (const problem of problems) {
        const message = `server '${server.name}': ${problem.message}`;
        diagnostics.error(problem.code, message, wordSpan(server, problem.word), problem.hint);
      }
      if (words.track === undefined) continue;
      yield;
      checkTrack(server, proxy, proxies, diagnostics);
    }
  }
}

/** Where the word stands on the server's line; its name where `default-server` said it. */
function wordSpan(server: ServerEntry, word: string): Span {
  const { line } = server.nameSpan;
  const at = line.tokens.findLastIndex((token, index) => index > 2 && token.text === word);
  const token = line.tokens[at];
  return token === undefined ? server.nameSpan : tokenSpan(line, token);
}

function headerSpan(proxy: ProxyDraft): Span {
  return lineSpan(proxy.header);
}

function checkRules(proxy: ProxyDraft, externalAllowed: boolean, diagnostics: DiagnosticList): void {
  const { option, http, tcp, externalCommand } = proxy.checks;
  const ignored = (rules: string, name: string): void => {
    const message = `${proxy.kind} '${proxy.name}' has ${rules} rules without 'option ${name}': they are ignored`;
    diagnostics.warning("rules-without-option", message, headerSpan(proxy));
  };
  if (http.own && option?.kind !== "http") ignored("http-check", "httpchk");
  if (tcp.own && option?.kind !== "tcp-check") ignored("tcp-check", "tcp-check");
  if (option?.kind === "http" && http.own && !http.rules.some((rule) => rule.kind === "send")) {
    const message = `${proxy.kind} '${proxy.name}' has http-check rules of its own: those of the defaults do not hold, and no request is sent`;
    diagnostics.warning("no-request", message, headerSpan(proxy), "repeat 'option httpchk' in this section");
  }
  if (option?.kind !== "external") return;
  if (!externalAllowed) {
    const message = `${proxy.kind} '${proxy.name}': 'option external-check' needs 'external-check' in the global section`;
    diagnostics.error("external-check", message, headerSpan(proxy), "it allows this process to start programs");
  }
  if (externalCommand === undefined) {
    const message = `${proxy.kind} '${proxy.name}': 'option external-check' needs an 'external-check command'`;
    diagnostics.error("external-check", message, headerSpan(proxy));
  }
}

interface Target {
  readonly proxy: ProxyDraft;
  readonly server: ServerEntry;
}

function targetOf(server: ServerEntry, own: ProxyDraft, proxies: readonly ProxyDraft[]): Target | undefined {
  const { track } = server.settings.words;
  const backend = track?.backend;
  const proxy = backend === undefined ? own : proxies.find((p) => p.name === backend && p.kind !== "frontend");
  const found = proxy?.servers.find((s) => s.name === track?.server);
  return proxy === undefined || found === undefined ? undefined : { proxy, server: found };
}

function checkTrack(
  server: ServerEntry,
  own: ProxyDraft,
  proxies: readonly ProxyDraft[],
  diagnostics: DiagnosticList,
): void {
  const { track } = server.settings.words;
  if (track === undefined) return;
  const span = trackSpan(server);
  const target = targetOf(server, own, proxies);
  if (target === undefined) {
    const names = proxies.flatMap((p) => p.servers.map((s) => (p === own ? s.name : `${p.name}/${s.name}`)));
    const written = track.backend === undefined ? track.server : `${track.backend}/${track.server}`;
    const hint = didYouMean(written, names);
    diagnostics.error("bad-track", `'track': there is no server '${written}'`, span, hint);
    return;
  }
  const name = `${target.proxy.name}/${target.server.name}`;
  const { words } = target.server.settings;
  if (loops(server, own, proxies)) {
    diagnostics.error("bad-track", `'track' leads from ${name} back to this server`, span);
  } else if (!words.check && !words.agent && words.track === undefined) {
    diagnostics.error("bad-track", `'track': ${name} has neither 'check' nor 'agent-check' nor 'track'`, span);
  }
}

/** The value after `track`, where it stands on the server's own line. */
function trackSpan(server: ServerEntry): Span {
  const { line } = server.nameSpan;
  const at = line.tokens.findLastIndex((token, index) => index > 2 && token.text === "track");
  const token = at < 0 ? undefined : line.tokens[at + 1];
  return token === undefined ? server.nameSpan : tokenSpan(line, token);
}

/** Follows the chain from `server` until it ends, or meets a server twice; a loop that this one is not part of is another's error. */
function loops(server: ServerEntry, own: ProxyDraft, proxies: readonly ProxyDraft[]): boolean {
  const seen = new Set<ServerEntry>();
  let at = targetOf(server, own, proxies);
  while (at !== undefined && !seen.has(at.server)) {
    if (at.server === server) return true;
    seen.add(at.server);
    at = targetOf(at.server, at.proxy, proxies);
  }
  return false;
}
