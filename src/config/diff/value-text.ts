// Values of a configuration as short text for people, where no keyword has a form of its own. Pure; any thread.

import { formatTimeMs } from "../../base/units.ts";
import type { ProtocolTemplate } from "../checks/protocol.ts";
import type { CheckProtocol, HealthPolicy, RemovalPolicy } from "../health-model.ts";
import type { LogFormat } from "../log-format/log-format.ts";
import type { Balance, LogTarget } from "../model.ts";

/** Any value, so that two that differ read differently: `{port 80, tls {verify on}}`. Places and positions are left out. */
export function valueText(value: unknown): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string") return /^[\w./:@%+-]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return `{${fieldTexts(value).join(", ")}}`;
}

function fieldTexts(value: object, left: readonly string[] = []): string[] {
  const fields = Object.entries(value).filter(
    ([key, field]) => field !== undefined && key !== "place" && key !== "index" && !left.includes(key),
  );
  return fields.map(([key, field]) => `${key} ${valueText(field)}`);
}

/** A health check: its kind, and its steps in order. */
export function protocolText(protocol: CheckProtocol | ProtocolTemplate): string {
  if (protocol.kind !== "http" && protocol.kind !== "tcp-check") {
    return [protocol.kind, ...fieldTexts(protocol, ["kind"])].join(" ");
  }
  const steps: readonly { readonly kind: string }[] = protocol.steps;
  const texts = steps.map((step) => [step.kind, ...fieldTexts(step, ["kind"])].join(" "));
  const rest = fieldTexts(protocol, ["kind", "steps"]);
  return [[protocol.kind, ...rest].join(" "), ...texts].join("; ");
}

/** A log format: its parts in order, values by their names. */
export function logFormatText({ isJson, items }: LogFormat): string {
  const texts = items.map((item) => {
    if (item.kind === "blank") return " ";
    if (item.kind !== "value") return item.text;
    return `<${[item.of, ...fieldTexts(item, ["kind", "of"])].join(" ")}>`;
  });
  return `${isJson ? "json: " : ""}${texts.join("")}`;
}

/** `shutdown-sessions after 5s over 10s` */
export function markedDownText({ afterMs, overMs }: NonNullable<HealthPolicy["onMarkedDown"]>): string {
  const after = afterMs > 0 ? ` after ${formatTimeMs(afterMs)}` : "";
  return `shutdown-sessions${after}${overMs > 0 ? ` over ${formatTimeMs(overMs)}` : ""}`;
}

/** What follows `on-removed`; undefined for what holds where nothing is said. */
export function removalText(policy: RemovalPolicy): string | undefined {
  if (policy.kind === "keep") return undefined;
  return policy.kind === "drain" ? `drain ${formatTimeMs(policy.timeMs)}` : policy.kind;
}

/** What follows `balance`. */
export function balanceText({ algorithm, draws }: Balance): string {
  return algorithm === "random" ? `random(${draws})` : algorithm;
}

/** What follows `log`, with the numbers of facility and levels. */
export function logTargetText({ target, maxLength, format, facility, maxLevel, minLevel }: LogTarget): string {
  const to =
    target.kind === "udp" ? `${target.host}:${target.port}` : target.kind === "unix" ? target.path : `fd@${target.fd}`;
  return `${to} len ${maxLength} format ${format} facility ${facility} level ${maxLevel} ${minLevel}`;
}
