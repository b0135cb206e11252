// The reference of the configuration language, written from the keyword tables: docs/reference/config.md. Pure.
// `reference.test.ts` fails when the file is stale; UPDATE_GOLDEN=1 writes it.

import { BIND_KEYWORDS, STATS_SOCKET_KEYWORDS } from "./keywords/bind.ts";
import { CHECK_PROXY_KEYWORDS } from "./keywords/check-rules.ts";
import { CHECK_GLOBAL_KEYWORDS, CHECK_SERVER_KEYWORDS } from "./keywords/checks.ts";
import { GLOBAL_KEYWORDS } from "./keywords/global.ts";
import { INERT_GLOBAL_KEYWORDS, INERT_PROXY_KEYWORDS } from "./keywords/inert.ts";
import type { Keyword, ProxyKeyword } from "./keywords/keyword.ts";
import {
  UNSUPPORTED_BIND_WORDS,
  UNSUPPORTED_GLOBAL_WORDS,
  UNSUPPORTED_PROXY_WORDS,
  UNSUPPORTED_SECTIONS,
  UNSUPPORTED_SERVER_WORDS,
} from "./keywords/known-unsupported.ts";
import { LOG_GLOBAL_KEYWORDS } from "./keywords/log-lines.ts";
import { REMOVAL_PROXY_KEYWORDS } from "./keywords/on-removed.ts";
import { POLICY_PROXY_KEYWORDS } from "./keywords/policies.ts";
import { PROXY_KEYWORDS } from "./keywords/proxy.ts";
import { RESOLUTION_SERVER_KEYWORDS } from "./keywords/resolution.ts";
import { RESOLVERS_KEYWORDS } from "./keywords/resolvers.ts";
import { RESTART_GLOBAL_KEYWORDS, RESTART_PROXY_KEYWORDS } from "./keywords/restart.ts";
import { SERVER_KEYWORDS } from "./keywords/server.ts";
import { JSONLOG_FORMAT, TCPLOG_CLF_FORMAT } from "./log-format/ready-made.ts";
import { HTTP_VARIABLES, LOG_EXPRESSIONS, LOG_VARIABLES } from "./log-format/variables.ts";

/** What a table needs to know of a keyword, whatever it writes to. */
type Described = Pick<Keyword<never>, "name" | "args" | "doc" | "byDefault" | "status">;

const cell = (text: string): string => text.replaceAll("|", "\\|");

function code(keyword: Described): string {
  const usage = `${keyword.name} ${keyword.args}`.trimEnd().replaceAll("|", "\\|");
  return `\`${usage}\``;
}

function effect(keyword: Described): string {
  const byDefault = keyword.byDefault === undefined ? "" : ` Default: ${cell(keyword.byDefault)}.`;
  return `${cell(keyword.doc)}${byDefault}`;
}

function table(keywords: readonly Described[]): string {
  const rows = keywords.map((keyword) => `| ${code(keyword)} | ${effect(keyword)} | ${mark(keyword)} |`);
  return ["| keyword | effect | |", "|---|---|---|", ...rows].join("\n");
}

function mark(keyword: Described): string {
  return keyword.status === "supported" ? "" : keyword.status;
}

function sectionsOf(keyword: ProxyKeyword<never>): string {
  const letters = [
    keyword.inDefaults ? "D" : "-",
    keyword.side === "backend" ? "-" : "F",
    "L",
    keyword.side === "frontend" ? "-" : "B",
  ];
  return `${letters.join("")}${keyword.negate === undefined ? "" : " no"}`;
}

function proxyTable(keywords: readonly ProxyKeyword<never>[]): string {
  const rows = keywords.map(
    (keyword) => `| ${code(keyword)} | ${sectionsOf(keyword)} | ${effect(keyword)} | ${mark(keyword)} |`,
  );
  return ["| keyword | where | effect | |", "|---|---|---|---|", ...rows].join("\n");
}

function wordList(words: ReadonlySet<string>): string {
  return [...words]
    .sort()
    .map((word) => `\`${word}\``)
    .join(", ");
}

/** The whole page as markdown, with a final line feed. */
export function renderReference(): string {
  const parts = [
    "# Configuration reference",
    "Written from the keyword tables in `src/config/keywords/`; do not edit. The language is HAProxy's: what is listed here means " +
      "what it means there, with the defaults of HAProxy 3.2.",
    "**kept**: read, checked for form and kept, but without effect until the part it configures exists; one notice for each file names " +
      "these words. Every other word listed is in effect, but for the inert ones. A word that HAProxy knows and Headgate does not is refused by name; any other is " +
      "refused with the nearest known word.",
    "**inert**: accepted because it changes nothing here; a notice names it with the reason.",
    "## The text",
    LEXICAL,
    "## global",
    table([
      ...GLOBAL_KEYWORDS,
      ...LOG_GLOBAL_KEYWORDS,
      ...CHECK_GLOBAL_KEYWORDS,
      ...RESTART_GLOBAL_KEYWORDS,
      ...INERT_GLOBAL_KEYWORDS,
    ]),
    "Words of a `stats socket` line:",
    table(STATS_SOCKET_KEYWORDS),
    "## defaults, frontend, listen, backend",
    "`D` defaults, `F` frontend, `L` listen, `B` backend; `no`: `no <keyword>` turns it off. In a section without that side a word is " +
      "ignored with a warning. `defaults [<name>] [from <defaults>]`, `frontend <name> [from <defaults>]`: a section begins with what the " +
      "named defaults say, else the last ones above it. A section in mode http is kept where it serves `stats` or the metrics and " +
      "nothing else, and refused otherwise.",
    proxyTable([
      ...PROXY_KEYWORDS,
      ...CHECK_PROXY_KEYWORDS,
      ...POLICY_PROXY_KEYWORDS,
      ...REMOVAL_PROXY_KEYWORDS,
      ...RESTART_PROXY_KEYWORDS,
      ...INERT_PROXY_KEYWORDS,
    ]),
    "## Log formats",
    LOG_FORMATS,
    logVariables(),
    LOG_FORMATS_READY_MADE,
    "## bind lines",
    table(BIND_KEYWORDS),
    "## server and default-server lines",
    table([...SERVER_KEYWORDS, ...CHECK_SERVER_KEYWORDS, ...RESOLUTION_SERVER_KEYWORDS]),
    "## resolvers",
    RESOLVERS,
    table(RESOLVERS_KEYWORDS),
    "## Known to HAProxy, not supported",
    `Sections: ${wordList(UNSUPPORTED_SECTIONS)}.`,
    `In global: ${wordList(UNSUPPORTED_GLOBAL_WORDS)}.`,
    `In defaults, frontend, listen, backend: ${wordList(UNSUPPORTED_PROXY_WORDS)}.`,
    `On bind lines: ${wordList(UNSUPPORTED_BIND_WORDS)}.`,
    `On server lines: ${wordList(UNSUPPORTED_SERVER_WORDS)}.`,
  ];
  return `${parts.join("\n\n")}\n`;
}

const LOG_FORMATS = `\`log-format\` and \`log-format-sd\` take one word: put it in quotes. Text stands for itself, blanks are merged, \`%%\` is a percent sign.

- \`%<variable>\`, \`%[<expression>]\`. \`%{<flags>}\` before either sets its flags; \`%{<flags>}o\` those of all items after it.
- Flags, each with \`+\` or \`-\`, several with commas: \`Q\` text in quotes; \`X\` addresses, ports, \`Ts\`, \`ms\`, \`lc\`, \`rt\` and \`pid\` in hexadecimal; \`E\` a backslash before \`"\`, \`\\\` and \`]\`; \`json\` the value as JSON has it. An empty text is \`-\`, without text in quotes and without \`M\`.
- \`%{+json}o\`: the line is a JSON object of the named items: \`%(client)ci\`, \`%(port:str)cp\`; the type (\`str\`, \`sint\`, \`bool\`) is for numbers. What is not there is \`null\`.
- \`log-format-sd\` is used by targets with \`format rfc5424\`.`;

function logVariables(): string {
  const expressionsOf = (name: string): string =>
    [...LOG_EXPRESSIONS]
      .filter(([, of]) => of === name)
      .map(([expression]) => `\`${expression}\``)
      .join(", ");
  const rows = LOG_VARIABLES.map(({ name, doc }) => `| \`%${name}\` | ${cell(doc)} | ${expressionsOf(name)} |`);
  const others = [...LOG_EXPRESSIONS].filter(([, of]) => !LOG_VARIABLES.some(({ name }) => name === of));
  return [
    "| variable | value | as an expression |",
    "|---|---|---|",
    ...rows,
    "",
    `Only as an expression: ${others.map(([name]) => `\`${name}\``).join(", ")}, \`str(<text>)\`. Of mode http, refused: ` +
      `${[...HTTP_VARIABLES].map((name) => `\`%${name}\``).join(", ")}.`,
  ].join("\n");
}

const LOG_FORMATS_READY_MADE = `\`option tcplog clf\` is \`${TCPLOG_CLF_FORMAT}\`; \`option jsonlog\` is:

\`\`\`
${JSONLOG_FORMAT.replaceAll(/((?:\S+ ){3}\S+) /g, "$1\n")}
\`\`\`

\`HAPROXY_TCP_LOG_FMT\` and \`HAPROXY_TCP_CLF_LOG_FMT\` are set in the environment of the configuration: \`log-format "\${HAPROXY_TCP_LOG_FMT} %cause"\`.`;

const RESOLVERS =
  "`resolvers <name>`: nameservers, and how they are asked. The section `default` exists without being written, with the nameservers of " +
  "/etc/resolv.conf, where it names any. See the guide to service discovery.";

const LEXICAL = `- Words are separated by blanks; a line is one statement of at most 64 words; \`#\` starts a comment.
- \`"weak quotes"\` keep blanks and \`#\`; \`'strong quotes'\` keep everything.
- Outside strong quotes: \`\\\\ \` (blank), \`\\\\\\\\\`, \`\\\\#\`, \`\\\\"\`, \`\\\\'\`, \`\\\\n\`, \`\\\\r\`, \`\\\\t\`, \`\\\\xHH\`. Any other backslash stands for itself.
- In weak quotes: \`"$NAME"\`, \`"\${NAME}"\`, \`"\${NAME-default}"\`, \`"\${NAME[*]}"\` (each word of the value is a word), and \`$.FILE\`, \`$.LINE\`, \`$.SECTION\`. Addresses expand \`$NAME\` and \`\${NAME}\` without quotes too.
- An empty word is an error, and so is a last line without a line feed.
- Times: a number and \`us\`, \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`; without a unit milliseconds; at most 2147483647 ms. Numbers out of range are refused.
- Addresses: \`127.0.0.1:80\`, \`[::1]:80\`, \`host:80\`, \`*:80\` and \`:80\` (all IPv4), \`[::]:80\`, \`ipv4@\`, \`ipv6@\`, \`unix@<path>\`, \`/path\`, \`abns@<name>\`; on \`bind\` lists with commas and port ranges \`80-90\`.
- \`.if\`, \`.elif\`, \`.else\`, \`.endif\`, \`.notice\`, \`.warning\`, \`.alert\`, \`.diag\` are refused.`.replaceAll(
  "\\\\",
  "\\",
);
