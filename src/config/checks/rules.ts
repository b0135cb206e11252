// The check rules of a section while it is read: what each says, and how `option httpchk` and `http-check send` meet. Control thread.
// The order in which lines may stand is HAProxy's.

import type { ConnectStep, HttpCheckStep, SetVarStep, TcpCheckStep } from "../health-model.ts";
import type { SourcePlace } from "../model.ts";

/** A connect step before a server's own settings are known. */
export interface ConnectRule extends ConnectStep {
  /** `default`: the server's `check-ssl`, `check-sni`, `check-alpn` and `check-send-proxy` hold. */
  readonly isDefault: boolean;
  readonly ssl: boolean;
  readonly sni?: string;
  readonly alpn: readonly string[];
}

export interface CommentRule {
  readonly kind: "comment";
  readonly comment: string;
  readonly place: SourcePlace;
}

/** A request as far as it is written; absent parts come from `option httpchk` or are HAProxy's defaults. */
export interface HttpSendRule {
  readonly kind: "send";
  /** From `option httpchk`: it merges with the section's first `http-check send`. */
  readonly fromOption: boolean;
  readonly method?: string;
  readonly uri?: string;
  readonly version?: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  readonly comment?: string;
  readonly place: SourcePlace;
}

export type HttpExpectRule = Extract<HttpCheckStep, { readonly kind: "expect" }>;
export type HttpRule = ConnectRule | SetVarStep | CommentRule | HttpSendRule | HttpExpectRule;
export type TcpRule = Exclude<TcpCheckStep, ConnectStep> | ConnectRule | CommentRule;

/** What the last check option of a section says. */
export type CheckOption =
  | { readonly kind: "http" | "tcp-check" | "redis" | "ldap" | "ssl-hello" | "external" }
  | { readonly kind: "pgsql"; readonly user: string }
  | { readonly kind: "mysql"; readonly user?: string; readonly post41: boolean }
  | { readonly kind: "smtp"; readonly hello: "HELO" | "EHLO"; readonly domain: string };

/** The rules of one kind: inherited until the section has one of its own (or the option that goes with them). */
export interface RuleSet<Rule> {
  readonly own: boolean;
  readonly rules: readonly Rule[];
}

/** What a section says about checks, apart from its servers. */
export interface ChecksDraft {
  readonly option?: CheckOption;
  readonly http: RuleSet<HttpRule>;
  readonly tcp: RuleSet<TcpRule>;
  /** `http-check disable-on-404`. */
  readonly disableOn404?: boolean;
  readonly externalCommand?: string;
  readonly externalPath?: string;
}

export const NO_CHECKS: ChecksDraft = { http: { own: false, rules: [] }, tcp: { own: false, rules: [] } };

/** What a section starts with. Rules that no option of the defaults put to use are not passed on. */
export function inheritChecks(base: ChecksDraft): ChecksDraft {
  const http = base.option?.kind === "http" ? base.http.rules : [];
  const tcp = base.option?.kind === "tcp-check" ? base.tcp.rules : [];
  return { ...base, http: { own: false, rules: http }, tcp: { own: false, rules: tcp } };
}

/** The section's own rules so far. */
export function ownRules<Rule>(set: RuleSet<Rule>): readonly Rule[] {
  return set.own ? set.rules : [];
}

const isPassive = (rule: { readonly kind: string }): boolean => rule.kind === "comment" || rule.kind === "set-var";

/** Why a connect step may not follow these rules, or undefined. */
export function misplacedConnect(rules: readonly (HttpRule | TcpRule)[]): string | undefined {
  for (const rule of rules) {
    if (rule.kind === "connect") return undefined;
    if (isPassive(rule) || ("fromOption" in rule && rule.fromOption)) continue;
    return "the first step must be a 'connect' too where there is one";
  }
  return undefined;
}

export type HttpRules =
  | { readonly ok: true; readonly rules: readonly HttpRule[] }
  | { readonly ok: false; readonly message: string };

/** Adds a line's rule; `inUse`: `option httpchk` stands already, which is when HAProxy judges the order. */
export function addHttpRule(rules: readonly HttpRule[], rule: HttpRule, inUse: boolean): HttpRules {
  if (!inUse) return { ok: true, rules: [...rules, rule] };
  const last = rules.findLast((r) => !isPassive(r));
  if (last !== undefined && !(last.kind === "send" && last.fromOption)) {
    const missing = missingBefore(rule.kind, last.kind);
    if (missing !== undefined)
      return { ok: false, message: `an 'http-check ${missing}' must stand before this 'http-check ${rule.kind}'` };
  }
  const first = rules.find((r) => !isPassive(r));
  if (rule.kind !== "send" || first?.kind !== "send" || !first.fromOption) return { ok: true, rules: [...rules, rule] };
  return { ok: true, rules: [...rules.filter((r) => r !== first), { ...merged(first, rule), fromOption: false }] };
}

function missingBefore(kind: string, last: string): string | undefined {
  if (kind === "send" && last !== "connect") return "connect";
  if (kind === "expect" && last !== "send" && last !== "expect") return "send";
  if (kind === "connect" && last !== "expect") return "expect";
  return undefined;
}

/** `option httpchk`: its request goes first, replaces that of an option before it, or completes the section's first `send`. */
export function addHttpOption(rules: readonly HttpRule[], request: HttpSendRule): readonly HttpRule[] {
  const active = rules.filter((r) => !isPassive(r));
  const first = active[0]?.kind === "connect" ? active[1] : active[0];
  if (first?.kind !== "send") return [request, ...rules];
  if (first.fromOption) return [request, ...rules.filter((r) => r !== first)];
  const both = { ...merged(first, request), fromOption: false };
  return rules.map((r) => (r === first ? both : r));
}

/** What `over` says, else what `under` said. */
function merged(under: HttpSendRule, over: HttpSendRule): HttpSendRule {
  const { method = under.method, uri = under.uri, version = under.version, body = under.body } = over;
  const headers = over.headers.length > 0 ? over.headers : under.headers;
  const comment = over.comment ?? under.comment;
  return {
    kind: "send",
    fromOption: over.fromOption,
    ...(method === undefined ? {} : { method }),
    ...(uri === undefined ? {} : { uri }),
    ...(version === undefined ? {} : { version }),
    headers,
    ...(body === undefined ? {} : { body }),
    ...(comment === undefined ? {} : { comment }),
    place: over.fromOption ? under.place : over.place,
  };
}
