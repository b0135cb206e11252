// The rules of a section to its one check: implicit steps put in, comments handed to the steps they speak of. Pure; control thread.

import type { CheckProtocol, HttpCheckStep, TcpCheckStep } from "../health-model.ts";
import type { SourcePlace } from "../model.ts";
import type { ChecksDraft, CommentRule, ConnectRule, HttpRule, HttpSendRule, TcpRule } from "./rules.ts";

type Templated<Step> = Exclude<Step, { readonly kind: "connect" }> | ConnectRule;
export type HttpTemplateStep = Templated<HttpCheckStep>;
export type TcpTemplateStep = Templated<TcpCheckStep>;

/** A check before it meets a server: its connect steps do not know the server's TLS yet. */
export type ProtocolTemplate =
  | Exclude<CheckProtocol, { readonly kind: "http" | "tcp-check" }>
  | { readonly kind: "http"; readonly steps: readonly HttpTemplateStep[]; readonly disableOn404?: boolean }
  | { readonly kind: "tcp-check"; readonly steps: readonly TcpTemplateStep[] };

export function protocolOf(checks: ChecksDraft): ProtocolTemplate {
  const { option, externalCommand, externalPath } = checks;
  if (option === undefined) return { kind: "tcp" };
  switch (option.kind) {
    case "http":
      return {
        kind: "http",
        steps: httpSteps(checks.http.rules),
        ...(checks.disableOn404 ? { disableOn404: true } : {}),
      };
    case "tcp-check":
      return { kind: "tcp-check", steps: withComments(numbered(checks.tcp.rules)) };
    case "external": {
      const command = externalCommand ?? "";
      return externalPath === undefined
        ? { kind: "external", command }
        : { kind: "external", command, path: externalPath };
    }
    case "pgsql":
    case "mysql":
    case "smtp":
      return option;
    default:
      return { kind: option.kind };
  }
}

/** The ranges that HAProxy takes for healthy where no `http-check expect` says otherwise. */
const HEALTHY_STATUS = [[200, 399]] as const;

function httpSteps(rules: readonly HttpRule[]): readonly HttpTemplateStep[] {
  const steps = withComments(requestAfterConnect(rules)).map((step) => (step.kind === "send" ? requestOf(step) : step));
  const last = steps.findLast((step) => step.kind !== "set-var");
  if (last?.kind !== "send") return steps;
  return [
    ...steps,
    { kind: "expect", negated: false, match: { kind: "status", ranges: HEALTHY_STATUS }, place: last.place },
  ];
}

/** The request of `option httpchk` goes first, but after a connect that stands first. */
function requestAfterConnect(rules: readonly HttpRule[]): readonly HttpRule[] {
  const isActive = (rule: HttpRule): boolean => rule.kind !== "comment" && rule.kind !== "set-var";
  const [first, second] = rules.filter(isActive);
  if (first?.kind !== "send" || !first.fromOption || second?.kind !== "connect") return rules;
  return rules.flatMap((rule) => (rule === first ? [] : rule === second ? [second, first] : [rule]));
}

function requestOf(rule: HttpSendRule): Extract<HttpCheckStep, { readonly kind: "send" }> {
  const { method = "OPTIONS", uri = "/", version, headers, body, comment, place } = rule;
  return {
    kind: "send",
    method,
    uri,
    ...(version === undefined ? {} : { version }),
    headers,
    ...(body === undefined ? {} : { body }),
    ...(comment === undefined ? {} : { comment }),
    place,
  };
}

/** Each rule with its place, which results of `tcp-check` name; comments and variables count. */
function numbered(rules: readonly TcpRule[]): readonly TcpRule[] {
  return rules.map((rule, index) => (rule.kind === "comment" ? rule : { ...rule, index }));
}

interface Rule {
  readonly kind: string;
  readonly comment?: string;
  readonly place: SourcePlace;
}

/** A comment belongs to the steps of one kind that follow it; a step's own comes first. */
function withComments<R extends Rule & (HttpRule | TcpRule)>(rules: readonly R[]): readonly Exclude<R, CommentRule>[] {
  const steps: Exclude<R, CommentRule>[] = [];
  let pending: string | undefined;
  let before = "comment";
  for (const rule of rules) {
    if (rule.kind !== before && before !== "comment") pending = undefined;
    before = rule.kind;
    if (rule.kind === "comment") {
      pending = rule.comment;
      continue;
    }
    const step = rule as Exclude<R, CommentRule>;
    const takes = rule.kind !== "set-var" && !("comment" in rule) && pending !== undefined;
    steps.push(takes ? { ...step, comment: pending } : step);
    if (rule.kind === "connect" || rule.kind === "set-var") pending = undefined;
  }
  return steps;
}
