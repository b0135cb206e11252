import { describe, expect, it } from "vitest";
import { InMemoryProgram } from "../../../test/unit/in-memory-program.ts";
import { diffConfigs } from "../../config/diff/diff.ts";
import { loadConfigText } from "../../config/load.ts";
import { W_MAXCONN } from "../../memory/control-words.ts";
import { AdminState } from "../../memory/server-row.ts";
import { threadsInService } from "../../memory/shared-memory.ts";
import { resolveServerAddress } from "../addresses.ts";
import { reloadMessages } from "../log/reload-messages.ts";
import type { ReloadReceipt } from "./model.ts";
import { planReload } from "./plan/plan.ts";
import { planText } from "./plan/plan-text.ts";
import { receiptText } from "./receipt-text.ts";

const HEAD = "defaults\n  timeout client 1m\n  timeout server 1m\n  timeout connect 5s\n";

const RECEIPT: Omit<ReloadReceipt, "outcome" | "report"> = {
  id: 3,
  by: "a test",
  started: "2030-01-01T00:00:00.000Z",
  tookMs: 4.2,
  times: { read: 1, prepare: 1, commit: 2, relays: 0.2, controlTurn: 3, relayTurn: 0.3 },
  files: ["new.cfg"],
  messages: [],
};

/** What a reload to the backend with these lines says before and after it. Server b is in maintenance, a has weight 7. */
async function told(...lines: readonly string[]): Promise<{ plan: string; receipt: ReloadReceipt }> {
  const before = `${HEAD}backend be\n  server a 127.0.0.1:1 weight 5\n  server b 127.0.0.1:2\n`;
  const program = await InMemoryProgram.start(before, 1000);
  const [a, b] = program.registry.proxies[0]!.servers;
  await program.commit({ kind: "set-weight", server: a!, weight: 7 });
  await program.commit({ kind: "set-admin", server: b!, set: AdminState.FORCED_MAINT, clear: 0 });
  const { config } = loadConfigText(`${HEAD}backend be\n${lines.map((line) => `  ${line}\n`).join("")}`, "new.cfg", {});
  const { registry, memory } = program;
  const maxconn = registry.maxconn;
  memory.words[W_MAXCONN] = maxconn;
  const plan = planText(planReload(registry, memory, config!, 0));
  const diff = diffConfigs(registry.config, config!);
  const found = config!.proxies[0]!.servers.map(
    async (each) => [each, await resolveServerAddress(each.endpoint)] as const,
  );
  const listeners = { byFrontend: new Map(), closing: [] };
  const prepared = {
    config: config!,
    diff,
    maxconn,
    threads: threadsInService(memory),
    addresses: new Map(await Promise.all(found)),
    resolvers: [],
    listeners,
  };
  const done = await program.commit({ kind: "reload", prepared });
  if (!done.done) throw new Error(done.detail);
  return { plan, receipt: { ...RECEIPT, outcome: "done", report: done.reload } };
}

describe("the receipt of a reload", () => {
  it("says what the plan of it said, in the same words, and what becomes of operators' values", async () => {
    const { plan, receipt } = await told(
      "server a 127.0.0.1:1 weight 6",
      "server b 127.0.0.1:9",
      "server c 127.0.0.1:3",
    );
    const [, ...lines] = plan.split("\n");
    expect(lines).toEqual([
      "+ server be/b 127.0.0.1:9, at its new address (new.cfg:7)",
      "+ server be/c 127.0.0.1:3 (new.cfg:8)",
      "~ server be/a: weight 5 -> 6 (new.cfg:6)",
      "- server be/b 127.0.0.1:2 leaves, without sessions",
      "! be/a: weight 7, set at runtime, is lost: the file now says 6",
      "! be/b: state maint, set at runtime, is lost: its new address is a new server, with ready",
      "",
    ]);
    expect(receiptText(receipt)).toBe(`Reload 3 is done in 4.2 ms: ${plan}`);
    expect(receiptText(receipt, { colour: true })).toContain("\x1b[32m+ server be/c");
    expect(reloadMessages(receipt).map(({ text }) => text)).toEqual([
      "Reload: be/a: weight 7, set at runtime, is lost: the file now says 6.",
      "Reload: be/b: state maint, set at runtime, is lost: its new address is a new server, with ready.",
      `Reload 3 is done in 4.2 ms: ${plan.split("\n")[0]}`,
    ]);
  });

  it("says that there was nothing to do", async () => {
    const { plan, receipt } = await told("server a 127.0.0.1:1 weight 5", "server b 127.0.0.1:2");
    expect(plan).toMatch(/^No changes, the files say what is loaded\.\n/);
    expect(receiptText(receipt)).toBe(`Reload 3 is done in 4.2 ms: n${plan.slice(1)}`);
  });

  it("tells of what waits for a restart until there was one", async () => {
    const program = await InMemoryProgram.start(`global\n  maxconn 1000\n${HEAD}backend be\n`, 1000);
    const { registry, memory } = program;
    const { config } = loadConfigText(
      `global\n  maxconn 1000\n  chroot /x\n  grace 5s\n${HEAD}backend be\n`,
      "new.cfg",
      {},
    );
    const listeners = { byFrontend: new Map(), closing: [] };
    const diff = diffConfigs(registry.config, config!);
    const prepared = {
      config: config!,
      diff,
      maxconn: 1000,
      threads: 1,
      addresses: new Map(),
      resolvers: [],
      listeners,
    };
    await program.commit({ kind: "reload", prepared });
    const [, ...lines] = planText(planReload(registry, memory, config!, 0)).split("\n");
    expect(lines).toContain("! global: chroot /x, was not set, which needs a restart");
    expect(lines.join()).not.toContain("grace");
  });

  it("shows why it was refused as a check of the file does", () => {
    const place = { file: "new.cfg", line: 2, column: 3 };
    const messages: ReloadReceipt["messages"] = [
      { severity: "notice", text: "not shown" },
      {
        severity: "error",
        text: "unknown word 'maxcon' [x]",
        hint: "did you mean 'maxconn'?",
        place,
        lineText: "  maxcon 1",
        length: 6,
      },
      { severity: "error", text: "cannot bind" },
    ];
    expect(receiptText({ ...RECEIPT, outcome: "refused", messages, report: undefined }).split("\n")).toEqual([
      "Reload 3 is refused: nothing has changed.",
      "new.cfg:2:3: error: unknown word 'maxcon' [x]",
      "    2 |   maxcon 1",
      "      |   ^^^^^^",
      "      = did you mean 'maxconn'?",
      "error: cannot bind",
      "",
    ]);
  });
});
