// What a PCRE pattern matches, its JavaScript form matches: where the two languages read the same text differently.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { regexOf } from "./rule-regex.ts";

/** Against the bytes of `text`, as the checks do. */
function matches(pattern: string, text: string): boolean {
  const result = regexOf(pattern);
  if (!result.ok) throw new Error(result.message);
  return result.pattern.test(Buffer.from(text, "utf8").toString("latin1"));
}

describe("regexOf", () => {
  it.each([
    ["^ok$", "ok\n"],
    ["ok\\Z", "ok\n"],
    ["a.b", "a\rb"],
    ["(?s)a.b", "a\nb"],
    ["(?i)^OK", "ok"],
    ["(?im)^two$", "One\nTwo\nthree"],
    ["^[[:alpha:]]+[[:space:]][^[:digit:]]$", "ab\tc"],
    ["[]x]y", "]y"],
    ["[[]", "["],
    ["[^]a]", "b"],
    ["\\Qa.b*\\E$", "a.b*"],
    ["\\Aé\\z", "é"],
    ["(?P<n>a)(?<m>b)", "ab"],
    ["(?#no one)a", "a"],
    ["\\x41\\/", "A/"],
    ["^\\+PONG\\R$", "+PONG\r\n"],
    ["a\\hb", "a b"],
    ["role:(master|slave)", "role:master"],
  ])("%j matches %j", (pattern, text) => {
    expect(matches(pattern, text)).toBe(true);
  });

  it.each([
    ["^ok\\z", "ok\n"],
    ["a.b", "a\nb"],
    ["^two$", "one\ntwo"],
    ["^OK", "ok"],
    ["\\Qa.b\\E", "axb"],
    ["\\s", "\u00a0"],
    ["[^]a]", "]"],
  ])("%j does not match %j", (pattern, text) => {
    expect(matches(pattern, text)).toBe(false);
  });

  it.each([
    ["(", "unterminated group"],
    ["a)", "unmatched ')'"],
    ["[a", "missing ']' of a character class"],
    ["[[:foo:]]", "'[:foo:]' is not supported"],
    ["a++", "possessive quantifiers are not supported"],
    ["a{2}+", "possessive quantifiers are not supported"],
    ["(?>a)", "'(?>a...' is not supported"],
    ["a(?i)b", "'(?i)...' is not supported but at the start"],
    ["(*UTF8)a", "verbs such as '(*UTF8)' are not supported"],
    ["\\Ga", "'\\G' is not supported"],
    ["a\\", "\\ at end of pattern"],
    ["*", "nothing to repeat"],
  ])("refuses %j: %s", (pattern, message) => {
    expect(regexOf(pattern)).toEqual({ ok: false, message });
  });

  it("never throws", () => {
    const piece = fc.constantFrom(
      "a",
      "\\",
      "[",
      "]",
      "(",
      ")",
      "?",
      "*",
      "+",
      "^",
      "$",
      ".",
      "[:",
      ":]",
      "{2}",
      "\\Q",
      "\\E",
      "é",
      "P<",
      "-",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const result = regexOf(pieces.join(""));
        return result.ok ? result.pattern instanceof RegExp : result.message !== "";
      }),
      { numRuns: 500 },
    );
  });
});
