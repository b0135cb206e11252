// The "typed" and "json" encodings of statistics: each value with its position, name, type, and four letters that say where it
// comes from, what it measures, whose it is and whether a restart would keep it.

export type ValueType = "str" | "u32" | "s32" | "u64" | "flt";

export interface Field {
  readonly name: string;
  /** Origin, nature, scope, persistence: HAProxy's letters. */
  readonly tags: string;
  readonly type: ValueType;
  readonly description: string;
}

const ORIGINS: Readonly<Record<string, string>> = { M: "Metric", S: "Status", K: "Key", C: "Config", P: "Product" };
const NATURES: Readonly<Record<string, string>> = {
  G: "Gauge",
  L: "Limit",
  m: "Min",
  M: "Max",
  R: "Rate",
  C: "Counter",
  D: "Duration",
  A: "Age",
  T: "Time",
  N: "Name",
  O: "Output",
  a: "Avg",
};
const SCOPES: Readonly<Record<string, string>> = { C: "Cluster", P: "Process", S: "Service", s: "System" };

/** `.1:<tags>:<type>:<value>`, the part that `show info typed` and `show stat typed` share. */
export const typedTail = (field: Field, value: string | number, described: boolean): string =>
  `.1:${field.tags}:${field.type}:${value}${described ? `:"${field.description}"` : ""}`;

/** The JSON members that both share; `before` comes first. */
export function jsonItem(before: object, position: number, field: Field, value: string | number): object {
  return {
    ...before,
    field: { pos: position, name: field.name },
    processNum: 1,
    tags: {
      origin: ORIGINS[field.tags[0]],
      nature: NATURES[field.tags[1]],
      scope: SCOPES[field.tags[2]],
    },
    value: { type: field.type, value },
  };
}
