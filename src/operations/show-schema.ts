// `show schema json`: a JSON schema of what `show info json` and `show stat json` answer.

import { dump } from "./answers.ts";
import type { Operation } from "./operation.ts";

const INTEGERS = {
  s32: [-2_147_483_648, 2_147_483_647],
  s64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  u32: [0, 4_294_967_295],
  u64: [0, Number.MAX_SAFE_INTEGER],
} as const;

const required = (properties: Readonly<Record<string, object>>): object => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});
const only = (...values: string[]): object => ({ type: "string", enum: values });
const ref = (name: string): object => ({ $ref: `#/definitions/${name}` });
const count = { type: "integer", minimum: 0 };

const itemParts = {
  field: ref("field"),
  processNum: ref("processNum"),
  tags: ref("tags"),
  value: ref("typedValue"),
};

const SCHEMA = {
  $schema: "http://json-schema.org/draft-04/schema#",
  oneOf: [
    { title: "Info", type: "array", items: { title: "InfoItem", ...required(itemParts) } },
    {
      title: "Stat",
      type: "array",
      items: {
        type: "array",
        items: {
          title: "StatItem",
          ...required({
            objType: only("Frontend", "Backend", "Listener", "Server", "Unknown"),
            proxyId: count,
            id: count,
            ...itemParts,
          }),
        },
      },
    },
    { title: "Error", ...required({ errorStr: { type: "string" } }) },
  ],
  definitions: {
    field: required({ pos: count, name: { type: "string" } }),
    processNum: { type: "integer", minimum: 1 },
    tags: required({
      origin: only("Metric", "Status", "Key", "Config", "Product", "Unknown"),
      nature: only(
        ...["Gauge", "Limit", "Min", "Max", "Rate", "Counter", "Duration", "Age", "Time", "Name", "Output", "Avg"],
        "Unknown",
      ),
      scope: only("Cluster", "Process", "Service", "System", "Unknown"),
    }),
    typedValue: {
      oneOf: [
        ...Object.entries(INTEGERS).map(([type, [minimum, maximum]]) =>
          required({ type: only(type), value: { type: "integer", minimum, maximum } }),
        ),
        required({ type: only("str"), value: { type: "string" } }),
        required({ type: only("flt"), value: { type: "number" } }),
      ],
    },
  },
};

export const showSchemaJson: Operation = {
  words: ["show", "schema", "json"],
  args: "",
  level: "user",
  summary: "show the JSON schema of `show info json` and `show stat json`",
  run: () => dump(`${JSON.stringify(SCHEMA)}\n`),
};
