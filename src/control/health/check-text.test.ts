import { expect, it } from "vitest";
import { reasonText } from "./check-text.ts";
import { checkResult } from "./result.ts";
import { byteText } from "./script.ts";

it("writes each byte of an answer that a line cannot hold as its code", () => {
  const answer = Buffer.from([0xe9, 0x0a, 0x22]).toString("latin1");
  expect(reasonText(checkResult("L7STS", `no ${answer}`, 503, 2.9))).toBe(
    ', reason: Layer7 wrong status, code: 503, info: "no <E9><0A><22>", check duration: 2ms',
  );
});

it("writes a text of the configuration as its UTF-8 bytes", () => {
  expect(reasonText(checkResult("L7RSP", byteText("é"), 0, 0))).toContain('info: "<C3><A9>"');
});
