// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are HAProxy's, with its way of naming variables.
// The language of log formats: any text gives a format or messages inside it, and what is right gives the items that it names.

import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { loadConfigText } from "../load.ts";
import type { LogFormat } from "./log-format.ts";
import { parseLogFormat } from "./parse.ts";

interface Found {
  readonly format: LogFormat;
  readonly problems: readonly { readonly code: string; readonly at: number; readonly length: number }[];
}

function parse(text: string): Found {
  const problems: { code: string; at: number; length: number }[] = [];
  const note = (code: string, _message: string, at: number, length: number): void => {
    problems.push({ code, at, length });
  };
  return { format: parseLogFormat(text, { error: note, warning: note }), problems };
}

const PARTS = [
  "%",
  "ci",
  "{",
  "+Q",
  "-",
  ",",
  "}",
  "[",
  "src",
  "str(a)",
  "]",
  "(",
  "n",
  ":str",
  ")",
  " ",
  "o",
  "json",
  "%%",
  "x",
  "\\",
  '"',
];
const anyFormat = fc.oneof(
  fc.string(),
  fc.array(fc.constantFrom(...PARTS), { maxLength: 20 }).map((parts) => parts.join("")),
);

test("any text is read to its end, and each message is about a part of it", () => {
  fc.assert(
    fc.property(anyFormat, (text) => {
      for (const { at, length } of parse(text).problems) {
        expect(at).toBeGreaterThanOrEqual(0);
        expect(length).toBeGreaterThan(0);
        expect(at).toBeLessThanOrEqual(text.length);
      }
    }),
    { numRuns: 1000 },
  );
});

test("text without a percent sign stands for itself", () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes("%")),
      (text) => {
        const { format, problems } = parse(text);
        expect(problems).toEqual([]);
        const shown = format.items.map((item) => (item.kind === "text" ? item.text : " ")).join("");
        expect(shown).toBe(text.replaceAll(/ +/g, " "));
      },
    ),
    { numRuns: 300 },
  );
});

describe("a message on a line", () => {
  /** Column and underlined text of the only error of a frontend with this line. */
  const errorOf = (line: string): string => {
    const head =
      "defaults\n timeout client 1m\n timeout server 1m\n timeout connect 5s\nfrontend f\n bind 127.0.0.1:8001\n";
    const text = `${head}${line}\n default_backend b\nbackend b\n server s 127.0.0.1:9001\n`;
    const { diagnostics } = loadConfigText(text, "t.cfg", { FORMAT: "a %bar" });
    const [error, ...others] = diagnostics.filter(({ severity }) => severity === "error");
    expect(others).toEqual([]);
    const { column } = error!.place;
    return `${column}: ${error!.lineText.slice(column - 1, column - 1 + error!.length)}`;
  };

  it.each([
    ["log-format %foo", "12: %foo"],
    ['log-format "a b %foo"', "17: %foo"],
    ["log-format a\\ b\\ %foo", "18: %foo"],
    ["log-format 'a %%foo %foo'", "21: %foo"],
    [`log-format "a \\"b\\" %foo"`, "21: %foo"],
    ['log-format "%ci %{+Q}foo"', "17: %{+Q}foo"],
    // Nothing on the line says %bar: the whole word is underlined.
    ['log-format "${FORMAT}"', '12: "${FORMAT}"'],
  ])("%s", (line, expected) => {
    expect(errorOf(line)).toBe(expected);
  });
});
