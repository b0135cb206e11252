// No two words of a row are the same one: what two branches add side by side would meet here first.

import { expect, it } from "vitest";
import * as listenerRow from "./listener-row.ts";
import * as proxyRow from "./proxy-row.ts";
import * as serverRow from "./server-row.ts";

/** Values that several names with the prefix share. */
function shared(module: object, prefix: string): string[] {
  const names = new Map<unknown, string[]>();
  for (const [name, value] of Object.entries(module)) {
    if (!name.startsWith(prefix) || typeof value !== "number" || name.endsWith("_BYTES")) continue;
    names.set(value, [...(names.get(value) ?? []), name]);
  }
  return [...names.values()].filter((each) => each.length > 1).map((each) => each.join(" = "));
}

it("words and flags of rows are all different", () => {
  expect(shared(serverRow, "V_")).toEqual([]);
  expect(shared(serverRow, "VF_")).toEqual([]);
  expect(shared(proxyRow, "P_")).toEqual([]);
  expect(shared(proxyRow, "PF_")).toEqual([]);
  expect(shared(listenerRow, "L_")).toEqual([]);
});

it("a server's words lie outside of the two places for its address", () => {
  const { V_ADDR_PLACES, V_ADDR_PLACE_BYTES, SERVER_WORDS } = serverRow;
  const isInPlace = (word: number): boolean =>
    V_ADDR_PLACES.some((place) => word >= place && word < place + V_ADDR_PLACE_BYTES / 4);
  const words = Object.entries(serverRow).filter(
    ([name, value]) => /^V_(?!ADDR_PLACE)/.test(name) && typeof value === "number",
  ) as [string, number][];
  expect(words.filter(([, word]) => isInPlace(word) || word >= SERVER_WORDS)).toEqual([]);
});
