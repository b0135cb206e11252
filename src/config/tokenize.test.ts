// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are HAProxy's, with its way of naming variables.
// The lexical rules, one by one, and that they hold for any text: no throw, and what is quoted comes back.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tokenizeLine } from "./tokenize.ts";

/** Quotes any text so that `tokenizeLine` gives it back as one word. */
function quoteWord(text: string): string {
  if (text !== "" && /^[A-Za-z0-9_.,:;@/+=*()[\]{}<>~^%!?|&$-]+$/.test(text)) return text;
  let quoted = "";
  for (const c of text) {
    if (c === "\n") quoted += "\\n";
    else if (c === "\r") quoted += "\\r";
    else if (c === "\t") quoted += "\\t";
    else if (c === "\\" || c === '"' || c === "$") quoted += `\\${c}`;
    else quoted += c;
  }
  return `"${quoted}"`;
}

const ENV = { PORT: "8080", EMPTY: "", WORDS: "  two\twords " };
const CONTEXT = { env: ENV, file: "f.cfg", line: 7, section: "listen" };

function words(text: string): readonly string[] {
  return tokenizeLine(text, CONTEXT).tokens.map((token) => token.text);
}

function errorCode(text: string): string | undefined {
  return tokenizeLine(text, CONTEXT).error?.code;
}

describe("tokenizeLine", () => {
  it.each([
    ["", []],
    ["  \t ", []],
    ["# only a comment", []],
    ["a  b\tc", ["a", "b", "c"]],
    ["a b# c", ["a", "b"]],
    ["a\\#b c\\ d", ["a#b", "c d"]],
    ['"a b" c"d e"f', ["a b", "cd ef"]],
    ["'a \"b\" \\n $PORT'", ['a "b" \\n $PORT']],
    ['"a \'b\' \\" \\$PORT"', ["a 'b' \" $PORT"]],
    ["\\n\\r\\t\\\\\\x41\\x2e", ["\n\r\t\\A."]],
    ["\\q \\1 \\$", ["\\q", "\\1", "\\$"]],
    ["$PORT ${PORT}", ["$PORT", "${PORT}"]],
    ['"$PORT" ":${PORT}" "x${PORT}y"', ["8080", ":8080", "x8080y"]],
    ['"${NONE-fall back}" "${EMPTY-x}y" "${PORT-x}"', ["fall back", "y", "8080"]],
    ['a"$NONE"b', ["ab"]],
    ['"${WORDS[*]}"', ["two", "words"]],
    ['a "${NONE[*]}" b', ["a", "b"]],
    ['a "${EMPTY[*]}" b', ["a", "b"]],
    ['"<${WORDS[*]}>"', ["<", "two", "words", ">"]],
    ['"${NONE[*]-c d}"', ["c", "d"]],
    ['"$.LINE ${.FILE} $.SECTION"', ["7 f.cfg listen"]],
    ["a b\r", ["a", "b"]],
    ["a b\r c", ["a", "b"]],
    ["a b\nc", ["a", "b"]],
  ])("%j", (text, expected) => {
    expect(words(text)).toEqual(expected);
    expect(errorCode(text)).toBeUndefined();
  });

  it.each([
    ['a "b', "unmatched-quote"],
    ["a 'b", "unmatched-quote"],
    ['"a\rb"', "unmatched-quote"],
    ["\\x4", "bad-hex-escape"],
    ["\\xg0", "bad-hex-escape"],
    ["\\x00", "nul-byte"],
    ['"$"', "bad-variable"],
    ['"$1"', "bad-variable"],
    ['"${PORT[0]}"', "bad-variable"],
    ['"$.HOME"', "bad-variable"],
    ['"${PORT"', "unmatched-brace"],
    ['"${PORT+1}"', "unmatched-brace"],
    ['"$NONE"', "empty-word"],
    ['""', "empty-word"],
    ["a '' b", "empty-word"],
    ["w ".repeat(65), "too-many-words"],
  ])("%j is refused", (text, code) => {
    expect(errorCode(text)).toBe(code);
  });

  it("knows where each word stands and how long it is as written", () => {
    const { tokens } = tokenizeLine(`  bind\t":\${PORT}"  name 'a b'c`, CONTEXT);
    expect(tokens).toEqual([
      { text: "bind", column: 3, length: 4 },
      { text: ":8080", column: 8, length: 10 },
      { text: "name", column: 20, length: 4 },
      { text: "a bc", column: 25, length: 6 },
    ]);
  });

  it("takes no variable from the prototype of its environment", () => {
    expect(errorCode('"$constructor"')).toBe("empty-word");
  });

  it("never throws, and keeps words inside their line", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom('"', "'", "\\", "${", "$", "}", "[*]", "-", "#", " ", "\\x", "PORT", "WORDS", "\r", "\n", "\0"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join("");
        const { tokens, error } = tokenizeLine(text, CONTEXT);
        let column = 1;
        for (const token of tokens) {
          expect(token.text).not.toBe("");
          expect(token.column).toBeGreaterThanOrEqual(column);
          expect(token.column - 1 + token.length).toBeLessThanOrEqual(text.length);
          column = token.column;
        }
        if (error !== undefined) expect(error.column - 1).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 500 },
    );
  });

  it("gives back any words that were quoted", () => {
    const word = fc.string({ minLength: 1, unit: "binary" }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), (list) => {
        expect(words(list.map(quoteWord).join(" "))).toEqual(list);
      }),
      { numRuns: 500 },
    );
  });
});
