// `show resolvers [<section>]`: what the nameservers of each section were asked and answered.

import { NAMESERVER_COUNTERS } from "../control/resolve/counters.ts";
import type { ResolversView } from "../control/resolve/names.ts";
import { dump, failure } from "./answers.ts";
import type { Operation } from "./operation.ts";

/** `show stat domain resolvers`: a line for each nameserver. One counter has another name there. */
export function resolversCsv(sections: readonly ResolversView[]): string {
  const names = NAMESERVER_COUNTERS.map((name) => (name === "snd_error" ? "send_error" : name));
  const rows = sections.flatMap(({ name, nameservers }) =>
    nameservers.map(({ id, counters }) => [id, name, ...NAMESERVER_COUNTERS.map((counter) => counters[counter])]),
  );
  return [["# id", "pid", ...names], ...rows].map((row) => `${row.join(",")},\n`).join("");
}

/** "  sent:        3": the number begins at column 15. */
const LABEL_WIDTH = 13;

export const showResolvers: Operation = {
  words: ["show", "resolvers"],
  args: "[<section>]",
  level: "user",
  summary: "show what nameservers were asked and answered",
  run({ program }, [wanted]) {
    const sections = program.resolvers();
    const shown = wanted === undefined ? sections : sections.filter(({ name }) => name === wanted);
    if (wanted !== undefined && shown.length === 0) return failure("Can't find that resolvers section");
    if (shown.length === 0) return failure("No resolvers found");
    const lines = shown.flatMap(({ name, nameservers }) => [
      `Resolvers section ${name}`,
      ...nameservers.flatMap(({ id, counters }) => [
        ` nameserver ${id}:`,
        ...NAMESERVER_COUNTERS.map((counter) => `  ${`${counter}:`.padEnd(LABEL_WIDTH)}${counters[counter]}`),
      ]),
    ]);
    return dump(`${lines.join("\n")}\n`);
  },
};
