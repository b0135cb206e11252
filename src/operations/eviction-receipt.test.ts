import { beforeEach, expect, it } from "vitest";
import { InMemoryProgram } from "../../test/unit/in-memory-program.ts";
import { UNKNOWN } from "../control/kernel-answer.ts";
import { EVICT_NOW } from "../control/reconcile/eviction.ts";
import type { AskedFor, EvictionReceipt } from "./eviction-receipt.ts";
import { receiptOf, receiptText } from "./eviction-receipt.ts";

let program: InMemoryProgram;
beforeEach(async () => {
  program = await InMemoryProgram.start();
});

async function evicted(): Promise<EvictionReceipt> {
  const server = program.registry.serversByIndex.find((entry) => entry?.backend.name === "be")!;
  const receipt = await program.commit({ kind: "evict-server", server, request: EVICT_NOW });
  if (!receipt.done || receipt.eviction === undefined) throw new Error("refused");
  return receiptOf(program.memory, receipt.eviction);
}

it("is not verified where the kernel could not be asked, and says so", async () => {
  program.kernelAnswer = UNKNOWN;
  const receipt = await evicted();
  expect(receipt).toMatchObject({
    outcome: "done",
    survivors: 0,
    verified: false,
    kernel: null,
    reason: "the kernel could not be asked",
  });
  expect(receiptText(receipt)).toContain("done, but see below (the kernel could not be asked).");
});

it("is verified where there is nothing to ask the kernel for", async () => {
  expect(await evicted()).toMatchObject({ verified: true, kernel: null, reason: "" });
});

it("says how whoever was left was cut in the words of the order", async () => {
  const receipt = await evicted();
  const within = (asked: Partial<AskedFor>) => receiptText({ ...receipt, asked: { ...receipt.asked, ...asked } });
  expect(within({})).toMatch(/asked: +at once\n/);
  expect(within({})).toContain("0 cut at once");
  expect(within({ resetClients: true })).toContain("0 cut at once");
  expect(within({ deadlineMs: 5000 })).toContain("0 cut at the deadline");
  expect(within({ drainMs: 5000 })).toContain("0 cut at the deadline");
});
