// `show info [typed|json|desc|float]*`: one line for each value about the process. Words combine; the last format wins.

import { dump } from "./answers.ts";
import { INFO_FIELDS, type InfoField, infoSource } from "./info-fields.ts";
import type { Operation } from "./operation.ts";
import { jsonItem, typedTail, type ValueType } from "./typed-values.ts";

/** These carry a fraction with `float`. */
const FLOAT_NAMES: ReadonlySet<string> = new Set([
  "Uptime_sec",
  "ConnRate",
  "SessRate",
  "CompressBpsIn",
  "CompressBpsOut",
  "Start_time_sec",
]);

export const showInfo: Operation = {
  words: ["show", "info"],
  args: "[typed|json|desc|float]*",
  level: "user",
  summary: "show values about the process",
  run({ program }, args) {
    const format = args.findLast((word) => word === "typed" || word === "json") ?? "plain";
    const described = args.includes("desc");
    const float = args.includes("float");
    const source = infoSource(program, float);
    const values = INFO_FIELDS.map((field) => [fieldFor(field, float), field.value(source)] as const).filter(
      (pair): pair is readonly [InfoField, string | number] => pair[1] !== undefined,
    );
    if (format === "json") {
      return dump(`${JSON.stringify(values.map(([field, value]) => jsonItem({}, field.position, field, value)))}\n`);
    }
    const line = format === "typed" ? typedLine : plainLine;
    return dump(values.map(([field, value]) => `${line(field, value, described)}\n`).join(""));
  },
};

function fieldFor(field: InfoField, float: boolean): InfoField {
  const type: ValueType = float && FLOAT_NAMES.has(field.name) ? "flt" : field.type;
  return type === field.type ? field : { ...field, type, value: field.value };
}

const plainLine = (field: InfoField, value: string | number, described: boolean): string =>
  `${field.name}: ${value}${described ? `:"${field.description}"` : ""}`;

const typedLine = (field: InfoField, value: string | number, described: boolean): string =>
  `${field.position}.${field.name}${typedTail(field, value, described)}`;
