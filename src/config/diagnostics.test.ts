// How a message looks, and that the caret stands under its word.
import { describe, expect, it } from "vitest";
import { renderDiagnostic } from "./diagnostics.ts";
import type { Diagnostic } from "./model.ts";

function diagnostic(lineText: string, column: number, length: number, extra: Partial<Diagnostic> = {}): Diagnostic {
  return {
    severity: "error",
    code: "c",
    message: "m",
    place: { file: "f", line: 12, column },
    lineText,
    length,
    ...extra,
  };
}

describe("renderDiagnostic", () => {
  it("shows place, message, line, caret and hint", () => {
    expect(renderDiagnostic(diagnostic("  opton tcplog", 3, 5, { hint: "did you mean 'option'?" }))).toBe(
      ["f:12:3: error: m [c]", "   12 |   opton tcplog", "      |   ^^^^^", "      = did you mean 'option'?"].join(
        "\n",
      ),
    );
  });

  it("keeps tabs, so that the caret stays under its word", () => {
    expect(renderDiagnostic(diagnostic("\tretries\tx", 10, 1)).split("\n")[2]).toBe("      | \t       \t^");
  });

  it("shows the part of a very long line that matters", () => {
    const text = `${"a".repeat(1_000)}HERE${"b".repeat(1_000)}`;
    const [, line = "", caret = ""] = renderDiagnostic(diagnostic(text, 1_001, 4)).split("\n");
    expect(line.length).toBeLessThan(200);
    expect(line.slice(caret.indexOf("^"), caret.lastIndexOf("^") + 1)).toBe("HERE");
  });

  it("has no line where the file has none", () => {
    expect(renderDiagnostic(diagnostic("", 1, 1))).toBe("f:12:1: error: m [c]");
  });

  it("sends no control characters of the config to the terminal, and colours only when asked", () => {
    const d = diagnostic("bind \x1b[2J", 6, 4, { message: "bad \x1b[2J" });
    expect(renderDiagnostic(d)).not.toContain("\x1b");
    expect(renderDiagnostic(d, { colour: true })).toContain("\x1b[31merror\x1b[0m");
  });
});
