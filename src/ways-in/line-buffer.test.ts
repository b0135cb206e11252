// Bytes to lines: however they arrive, the lines are the same.

import fc from "fast-check";
import { expect, it } from "vitest";
import { LineBuffer } from "./line-buffer.ts";

function takeAll(buffer: LineBuffer): string[] {
  const lines: string[] = [];
  for (let line = buffer.take(); line !== undefined; line = buffer.take()) lines.push(line);
  return lines;
}

it("gives the same lines however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(7)), (texts, cuts) => {
      const lines = texts.map((text) => text.replace(/[\r\n]/g, ""));
      const bytes = Buffer.from(lines.map((line, i) => `${line}${i % 2 === 0 ? "\n" : "\r\n"}`).join(""));
      const buffer = new LineBuffer();
      const taken: string[] = [];
      let at = 0;
      for (const cut of [...cuts, bytes.length]) {
        buffer.push(bytes.subarray(at, at + cut));
        taken.push(...takeAll(buffer));
        at += cut;
      }
      expect(taken).toEqual(lines);
      expect(buffer.length).toBe(0);
    }),
  );
});

it("keeps an incomplete line and knows its length", () => {
  const buffer = new LineBuffer();
  buffer.push(Buffer.from("show in"));
  expect([buffer.take(), buffer.hasLine, buffer.nextLineLength]).toEqual([undefined, false, 7]);
  buffer.push(Buffer.from("fo\nx"));
  expect([buffer.take(), buffer.take(), buffer.length]).toEqual(["show info", undefined, 1]);
});
