// Lines of the Runtime API as words: blanks, escapes, `;`, payload announcements.

import { describe, expect, it } from "vitest";
import { payloadAnnouncement, splitLine } from "./command-line.ts";

describe("splitLine", () => {
  it.each([
    ["show  info", [["show", "info"]]],
    [
      "\techo a ; echo b",
      [
        ["echo", "a"],
        ["echo", "b"],
      ],
    ],
    ["", [[]]],
    [";;a;", [[], [], ["a"], []]],
    ["echo a\\;b", [["echo", "a;b"]]],
    ["echo a\\ b", [["echo", "a b"]]],
    ["echo a\\\\", [["echo", "a\\"]]],
    ['echo "a b"', [["echo", '"a', 'b"']]],
    ["echo a\\", [["echo", "a"]]],
  ])("%j", (line, commands) => {
    expect(splitLine(line)).toEqual(commands);
  });

  it("refuses the 65th word, and only in the command that has it", () => {
    const words = Array.from({ length: 64 }, (_, i) => `w${i}`).join(" ");
    expect(splitLine(`${words};${words} x;a`).map((command) => command?.length)).toEqual([64, undefined, 1]);
  });
});

describe("payloadAnnouncement", () => {
  it.each([
    ["echo a <<", { command: "echo a", end: "" }],
    ["echo a <<END", { command: "echo a", end: "END" }],
    ["<<", { command: "", end: "" }],
    ["echo a<<", undefined],
    ["echo << a", undefined],
    [`echo <<${"x".repeat(65)}`, undefined],
  ])("%j", (line, announcement) => {
    expect(payloadAnnouncement(line)).toEqual(announcement);
  });
});
