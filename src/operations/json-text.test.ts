import fc from "fast-check";
import { expect, it } from "vitest";
import { jsonText } from "./json-text.ts";

async function whole(value: object): Promise<string> {
  let text = "";
  for await (const part of jsonText(value)) text += part;
  return text;
}

it("gives the text of JSON.stringify", async () => {
  await fc.assert(
    fc.asyncProperty(fc.object({ maxDepth: 5, withDate: true, withNullPrototype: true }), async (value) => {
      expect(await whole({ value })).toBe(`${JSON.stringify({ value })}\n`);
    }),
    { numRuns: 200 },
  );
});

it("gives long lists in parts", async () => {
  const list = Array.from({ length: 5_000 }, (_, i) => ({ name: `server${i}`, weight: i % 7 === 0 ? undefined : i }));
  const value = { a: undefined, empty: {}, none: [], deep: { er: { list }, list: [] }, list };
  expect(await whole(value)).toBe(`${JSON.stringify(value)}\n`);
  let parts = 0;
  for await (const _ of jsonText(value)) parts++;
  expect(parts).toBeGreaterThan(5);
});
