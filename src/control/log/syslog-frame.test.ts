import { expect, test } from "vitest";
import type { LogTarget } from "../../config/model.ts";
import { HeaderDates } from "./log-time.ts";
import { frameHeader, levelFor, writeFrame } from "./syslog-frame.ts";

const target = (part: Partial<LogTarget>): LogTarget => ({
  target: { kind: "fd", fd: 1 },
  maxLength: 1024,
  format: "local",
  facility: 19,
  maxLevel: 7,
  minLevel: 0,
  place: { file: "t.cfg", line: 1, column: 1 },
  ...part,
});

const WALL_MS = new Date(2026, 10, 2, 15, 45, 46, 97).getTime();
const zone = ((minutes: number): string => {
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
})(-new Date(WALL_MS).getTimezoneOffset());

const identity = { pid: 7, hostname: "box" };

test.each<[LogTarget["format"], string]>([
  ["local", "<158>Nov  2 15:45:46 headgate[7]: "],
  ["rfc3164", "<158>Nov  2 15:45:46 box headgate[7]: "],
  ["rfc5424", `<158>1 2026-11-02T15:45:46.097000${zone} - headgate 7 - - `],
  ["priority", "<158>"],
  ["short", "<6>"],
  ["timed", `<6>2026-11-02T15:45:46.097000${zone} `],
  ["iso", `2026-11-02T15:45:46.097000${zone} `],
  ["raw", ""],
])("format %s", (format, header) => {
  expect(frameHeader(target({ format }), 6, WALL_MS, new HeaderDates(), identity)).toBe(header);
});

test.each([
  ["rfc3164", "edge", / edge tag\[/],
  ["rfc3164", "", / box tag\[/],
  ["rfc5424", "edge", / edge tag \d+ - \[a\] $/],
  ["rfc5424", "", / box tag \d+ - \[a\] $/],
  ["local", "edge", /^<\d+>\w{3} .\d \S+ tag\[/],
] as const)("%s with the host '%s', a tag and structured data", (format, host, header) => {
  expect(frameHeader(target({ format }), 6, WALL_MS, new HeaderDates(), identity, "tag", "[a] ", host)).toMatch(header);
});

test("the date follows the second", () => {
  const dates = new HeaderDates();
  expect(dates.syslog(WALL_MS)).toBe("Nov  2 15:45:46");
  expect(dates.syslog(WALL_MS + 1000)).toBe("Nov  2 15:45:47");
  expect(dates.iso(WALL_MS + 1902)).toContain("15:45:47.999000");
});

test("the level filter drops what is less severe than the maximum and raises nothing above the minimum", () => {
  expect(levelFor(target({}), 6)).toBe(6);
  expect(levelFor(target({ maxLevel: 5 }), 6)).toBe(-1);
  expect(levelFor(target({ maxLevel: 5 }), 5)).toBe(5);
  expect(levelFor(target({ minLevel: 4 }), 1)).toBe(4);
});

test("a frame ends with one line feed and is never longer than its target's length", () => {
  const buffer = Buffer.alloc(200);
  const frame = (text: string, length: number): string =>
    buffer.subarray(0, writeFrame(buffer, "<6>", text, length)).toString();
  expect(frame("short", 80)).toBe("<6>short\n");
  expect(frame("x".repeat(76), 80)).toBe(`<6>${"x".repeat(76)}\n`);
  expect(frame("x".repeat(77), 80)).toBe(`<6>${"x".repeat(76)}\n`);
  // A character of two bytes is not cut in half.
  expect(frame(`${"x".repeat(75)}é`, 80)).toBe(`<6>${"x".repeat(75)}\n`);
});
