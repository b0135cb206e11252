// `http-check ...` and `tcp-check ...` lines: finds the step, reads it, puts it among the section's rules. Control thread.

import type { ProxyDraft } from "../drafts.ts";
import type { SetVarStep } from "../health-model.ts";
import { didYouMean } from "../nearest.ts";
import type { WordReader } from "../word-reader.ts";
import { readConnect } from "./connect-rule.ts";
import { readHttpExpect, readTcpExpect } from "./expect-rule.ts";
import { constantOf, type RuleVariables } from "./rule-text.ts";
import {
  addHttpRule,
  type CommentRule,
  type ConnectRule,
  type HttpRule,
  misplacedConnect,
  ownRules,
  type TcpRule,
} from "./rules.ts";
import { readFormat, readHttpSend, readTcpSend } from "./send-rule.ts";

const HTTP_STEPS = ["connect", "send", "expect", "comment", "set-var"] as const;
const TCP_STEPS = [
  "connect",
  "send",
  "send-lf",
  "send-binary",
  "send-binary-lf",
  "expect",
  "comment",
  "set-var",
] as const;
const UNSUPPORTED_STEPS: ReadonlySet<string> = new Set(["send-state", "unset-var"]);

/** Values of the `set-var` rules so far. */
function variablesOf(rules: readonly (HttpRule | TcpRule)[]): RuleVariables {
  return new Map(rules.flatMap((rule) => (rule.kind === "set-var" ? [[rule.name, rule.value] as const] : [])));
}

/** Reads one `http-check` line. */
export function readHttpCheck(words: WordReader, proxy: ProxyDraft): void {
  if (words.takeIf("disable-on-404")) {
    if (words.end()) proxy.checks = { ...proxy.checks, disableOn404: true };
    return;
  }
  const own = ownRules(proxy.checks.http);
  const rule = readStep(words, proxy, HTTP_STEPS, own, (step, variables) =>
    step === "send" ? readHttpSend(words, variables) : readHttpExpect(words, variables),
  );
  if (rule === undefined) return;
  const added = addHttpRule(own, rule, proxy.checks.option?.kind === "http");
  if (!added.ok) words.error("rule-order", added.message);
  else proxy.checks = { ...proxy.checks, http: { own: true, rules: added.rules } };
}

/** Reads one `tcp-check` line. */
export function readTcpCheck(words: WordReader, proxy: ProxyDraft): void {
  const own = ownRules(proxy.checks.tcp);
  const rule = readStep(words, proxy, TCP_STEPS, own, (step, variables) =>
    step === "expect" ? readTcpExpect(words, variables) : readTcpSend(words, step, variables),
  );
  if (rule !== undefined) proxy.checks = { ...proxy.checks, tcp: { own: true, rules: [...own, rule] } };
}

type OwnStep<Step extends string> = Exclude<Step, "connect" | "comment" | "set-var">;

function readStep<Step extends string, Rule extends HttpRule | TcpRule>(
  words: WordReader,
  proxy: ProxyDraft,
  steps: readonly Step[],
  rules: readonly (HttpRule | TcpRule)[],
  read: (step: OwnStep<Step>, variables: RuleVariables) => Rule | undefined,
): Rule | ConnectRule | SetVarStep | CommentRule | undefined {
  const line = words.keyword;
  const token = words.word(`one of ${steps.join(", ")}`);
  if (token === undefined) return undefined;
  words.keyword = `${line} ${token.text}`;
  if (/^set-var(-fmt)?(\(|$)/.test(token.text)) return readSetVar(words, token.text, variablesOf(rules));
  const step = steps.find((name) => name === token.text);
  if (step === undefined) {
    const message = UNSUPPORTED_STEPS.has(token.text.replace(/\(.*/, ""))
      ? `'${line} ${token.text}' is known to HAProxy but not supported by Headgate`
      : undefined;
    if (message !== undefined) words.error("unsupported", message, token);
    else words.error("unknown-value", `'${line}' knows no '${token.text}'`, token, didYouMean(token.text, steps));
    return undefined;
  }
  if (step === "comment") return readComment(words);
  if (step === "connect") {
    const misplaced = misplacedConnect(rules);
    if (misplaced !== undefined) words.error("rule-order", `'${words.keyword}': ${misplaced}`, token);
    return readConnect(words, proxy.context);
  }
  return read(step as OwnStep<Step>, variablesOf(rules));
}

function readComment(words: WordReader): CommentRule | undefined {
  const token = words.word("<text>");
  if (token === undefined || !words.end()) return undefined;
  return { kind: "comment", comment: token.text, place: words.place() };
}

/** `set-var(check.<name>) <expression>`: only what is known before the check runs. */
function readSetVar(words: WordReader, written: string, variables: RuleVariables): SetVarStep | undefined {
  const step = words.line.tokens[words.position - 1];
  const name = /^set-var(?:-fmt)?\((check\.[A-Za-z0-9_.]+)\)$/.exec(written)?.[1];
  if (name === undefined) {
    words.error(
      "bad-variable-name",
      `'${words.keyword}': a check sets variables named check.<name>`,
      step,
      "set-var(check.port) int(8080)",
    );
    return undefined;
  }
  const token = words.word("<expression>");
  if (token === undefined || !words.end()) return undefined;
  if (written.startsWith("set-var-fmt")) {
    const text = readFormat(words, token, variables);
    return text === undefined ? undefined : { kind: "set-var", name, value: text, place: words.place() };
  }
  const value = constantOf(token.text, variables);
  if (value.ok) return { kind: "set-var", name, value: value.text, place: words.place() };
  words.error("unsupported", `'set-var': ${value.message}`, token);
  return undefined;
}
