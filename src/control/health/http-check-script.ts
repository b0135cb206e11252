// `option httpchk` and http-check rules as a script: requests as HAProxy writes them, and what is expected of the response.
// Without an expect step after the last request, a status from 200 to 399 passes.

import type { HttpCheckStep } from "../../config/health-model.ts";
import { type HttpResponse, readHttpResponse } from "./http-response.ts";
import { byteText, type ExpectScriptStep, latin1, type Script, type ScriptStep, type Verdict, WAIT } from "./script.ts";
import { type ConnectionDefaults, commonWords, connectStep, implicitConnect } from "./tcp-check-script.ts";

type HttpSend = Extract<HttpCheckStep, { kind: "send" }>;
type HttpExpect = Extract<HttpCheckStep, { kind: "expect" }>;

const NO_BODY_METHODS = new Set(["OPTIONS", "GET", "HEAD", "DELETE"]);

/** The request's bytes: header names in lower case, content-length and connection last. */
export function httpRequest(send: HttpSend): Buffer {
  const version = send.version ?? "HTTP/1.0";
  const body = Buffer.from(send.body ?? "");
  const lines = [`${send.method} ${send.uri || "/"} ${version}`];
  for (const [name, value] of send.headers) lines.push(`${name.toLowerCase()}: ${value}`);
  if (!NO_BODY_METHODS.has(send.method) || body.length > 0) lines.push(`content-length: ${body.length}`);
  const saysConnection = send.headers.some(([name]) => name.toLowerCase() === "connection");
  // HTTP/1.0 closes without being told.
  if (!saysConnection && version !== "HTTP/1.0") lines.push("connection: close");
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]);
}

function httpExpect(step: HttpExpect, number: number, isHead: boolean, mayBe404: boolean): ExpectScriptStep {
  const words = commonWords(step);
  const comment = step.comment ? ` comment: ${byteText(step.comment)}` : "";
  const fail = (usual: "L7STS" | "L7RSP", text: string, code: number): Verdict => ({
    kind: "failed",
    status: words.errorStatus ?? usual,
    text: (words.onError?.() ?? text) + comment,
    code,
  });
  return {
    kind: "expect",
    number,
    label: "",
    judge: (answer, isLast) => {
      const response = readHttpResponse(answer, isHead);
      if (response.kind === "invalid" || (response.kind === "partial" && isLast)) {
        return { kind: "failed", status: "L7RSP", text: comment };
      }
      if (response.kind === "partial") return WAIT;
      if (mayBe404 && response.status === 404) return { kind: "ended", status: "L7OKC", code: 404, text: "" };
      const met: Verdict = { kind: "met", code: response.status };
      const { match } = step;
      if (match.kind === "status" || match.kind === "rstatus") {
        if (isStatusMatch(match, response) !== step.negated) return met;
        return fail("L7STS", response.reason, response.status);
      }
      const isEnd = isLast || response.isWhole;
      if (response.body.length === 0) {
        if (!isEnd) return WAIT;
        return fail("L7RSP", "HTTP content check could not find a response body", response.status);
      }
      const least = Math.max(match.kind === "string" ? Buffer.byteLength(match.text) : 0, step.minRecv ?? 0);
      if (!isEnd && response.body.length < least) return WAIT;
      const isMatch =
        match.kind === "string" ? response.body.includes(match.text) : match.pattern.test(latin1(response.body));
      if (!isMatch && !isEnd && (step.minRecv ?? -1) < 0) return WAIT;
      if (isMatch !== step.negated) return met;
      const text = step.negated ? "HTTP check matched unwanted content" : "HTTP content check did not match";
      return fail("L7RSP", text, response.status);
    },
    ...(words.comment === undefined ? {} : { comment: words.comment }),
    ...(words.okStatus === undefined ? {} : { okStatus: words.okStatus }),
    ...(words.timeoutStatus === undefined ? {} : { timeoutStatus: words.timeoutStatus }),
    ...(words.onSuccess === undefined ? {} : { onSuccess: words.onSuccess }),
  };
}

function isStatusMatch(
  match: Extract<HttpExpect["match"], { kind: "status" } | { kind: "rstatus" | "rstring" }>,
  response: Extract<HttpResponse, { kind: "response" }>,
): boolean {
  if (match.kind !== "status") return match.pattern.test(response.statusText);
  return match.ranges.some(([from, to]) => response.status >= from && response.status <= to);
}

/**
 * `option httpchk` and its `http-check` rules as a script; without an expect rule, any 2xx or 3xx passes. `mayBe404`: of a server under
 * `http-check disable-on-404` that is not down.
 */
export function httpCheckScript(
  steps: readonly HttpCheckStep[],
  defaults: ConnectionDefaults,
  mayBe404 = false,
): Script {
  const script: ScriptStep[] = [];
  let isHead = false;
  steps.forEach((step, index) => {
    const number = (step.index ?? index) + 1;
    if (step.kind === "connect") script.push(connectStep(step, number));
    else if (step.kind === "send") {
      const request = httpRequest(step);
      isHead = step.method === "HEAD";
      script.push({ kind: "send", number, bytes: () => request });
    } else if (step.kind === "expect") script.push(httpExpect(step, number, isHead, mayBe404));
  });
  const last = script.at(-1);
  if (last?.kind === "send") {
    const match = { kind: "status", ranges: [[200, 399]] } as const;
    const place = steps[0]?.place ?? { file: "", line: 0, column: 0 };
    script.push(httpExpect({ kind: "expect", negated: false, match, place }, last.number + 1, isHead, mayBe404));
  }
  if (script[0]?.kind !== "connect") script.unshift(implicitConnect(defaults));
  return { flavour: "http", steps: script };
}
