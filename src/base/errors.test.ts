import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { systemReason } from "./errors.ts";

function failureOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

test("a system's reason is said without the call and the path", () => {
  expect(systemReason(failureOf(() => readFileSync("/nowhere/a file")))).toBe("no such file or directory");
  expect(systemReason(failureOf(() => readFileSync("/")))).toBe("illegal operation on a directory");
  expect(systemReason(failureOf(() => process.chdir("/nowhere")))).toBe("no such file or directory");
});

test("any other error's text stays", () => {
  expect(systemReason(new Error("it has 7 bytes, too many: 'x'"))).toBe("it has 7 bytes, too many: 'x'");
  expect(systemReason("text")).toBe("text");
});
