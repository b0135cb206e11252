// Layouts of rows: no two words in one place. Branches that each take "the next free word" meet here.

import { expect, it } from "vitest";
import * as proxyRow from "./proxy-row.ts";
import * as serverRow from "./server-row.ts";

/** Offsets by name. */
const offsets = (row: Readonly<Record<string, unknown>>, prefix: string): [string, number][] =>
  Object.entries(row).filter(
    (entry): entry is [string, number] =>
      entry[0].startsWith(prefix) && !entry[0].endsWith("_BYTES") && typeof entry[1] === "number",
  );

it.each([
  ["a server's", serverRow, "V_", serverRow.SERVER_WORDS],
  ["a proxy's", proxyRow, "P_", proxyRow.PROXY_WORDS],
])("%s row has one name for each word", (_, row, prefix, words) => {
  const found = offsets(row, prefix);
  expect(found.length).toBeGreaterThan(25);
  const shared = found.filter(([name, at]) => found.some(([other, place]) => other !== name && place === at));
  expect(shared).toEqual([]);
  expect(found.filter(([, at]) => at < 0 || at >= words)).toEqual([]);
});

it("a server's addresses overlap with no other word", () => {
  const { V_ADDR_PLACES, V_ADDR_PLACE_BYTES } = serverRow;
  const overlaps = offsets(serverRow, "V_").filter(([, at]) =>
    V_ADDR_PLACES.some((place) => at >= place && at < place + V_ADDR_PLACE_BYTES / 4),
  );
  expect(overlaps).toEqual([]);
});
