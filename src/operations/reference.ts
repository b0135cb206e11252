// docs/reference/runtime-api.md from the operations table, so that the page cannot be out of date: a test compares them.

import { OPERATIONS } from "./table.ts";

const cell = (text: string): string => text.replaceAll("|", "\\|");

export function renderRuntimeReference(): string {
  const rows = [...OPERATIONS]
    .sort((a, b) => (a.words.join(" ") < b.words.join(" ") ? -1 : 1))
    .map(({ words, args, level, summary }) => {
      const usage = [...words, args].filter((word) => word !== "").join(" ");
      return `| \`${cell(usage)}\` | ${level} | ${cell(summary).replaceAll("<", "\\<")} |`;
    });
  return `# Runtime API

This page is written from the operations table (\`src/operations/table.ts\`); \`UPDATE_GOLDEN=1 npx vitest run src/operations\` renews it.
Where a command differs from HAProxy's, [differences.md](differences.md) says so.

Commands arrive on a \`stats socket\`, one line each; \`;\` separates several on a line, \`\\\` takes the next character as it is. Every answer
ends with an empty line. A connection serves one line and closes, until \`prompt\` asks for more. \`<b>/<s>\` names a server by its backend and
its own name; \`#<id>\` stands for either.

Levels: \`user\` may look, \`operator\` may also see sessions and clear maxima, \`admin\` may do everything. A command above the connection's level
is answered by \`Permission denied\`.

| command | level | what it does |
| --- | --- | --- |
${rows.join("\n")}

## Taking a server out

\`\`\`
disable server <b>/<s>
shutdown sessions server <b>/<s>
wait 100ms srv-removable <b>/<s>
del server <b>/<s>
\`\`\`

When the second line is answered, no session of the server is left, and the kernel holds no connection to it: the wait returns at once.
`;
}
