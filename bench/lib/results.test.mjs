// The arithmetic that verdicts rest on. Run with `node --test bench/lib`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareVersions } from "./balancers.mjs";
import { establishedInodes, sessionsByField } from "./fairness.mjs";
import { readOptions } from "./options.mjs";
import { spread, summarize } from "./results.mjs";

const samples = (...values) => values.map((value, i) => ({ round: i + 1, sample: { rate: value } }));
const summary = (figure, taken) =>
  summarize(
    [{ measure: { name: "m", figures: [{ key: "rate", ...figure }] }, taken }],
    Object.keys(taken),
    "a",
    "b",
  )[0];

test("the median of an even number of rounds is the middle of the two", () => {
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4, rounds: 4 });
});

test("ratios are paired by round, not taken between medians", () => {
  const row = summary({ more: true }, { a: samples(10, 20, 60), b: samples(10, 10, 20) });
  assert.deepEqual(row.ratios.b, { median: 2, min: 1, max: 3, rounds: 3 });
});

test("a round that failed on one side gives no ratio and fails the verdict", () => {
  const taken = {
    a: [
      { round: 1, error: "died" },
      { round: 2, sample: { rate: 5 } },
    ],
    b: samples(1, 5),
  };
  const row = summary({ more: true, target: { ratio: 1 } }, taken);
  assert.equal(row.ratios.b.rounds, 1);
  assert.equal(row.verdict, "failed");
});

test("a bound on a value must hold in every round, a bound on a ratio in the median", () => {
  assert.equal(summary({ target: { value: 0 } }, { a: samples(0, 0, 1), b: samples(9, 9, 9) }).verdict, "missed");
  assert.equal(summary({ target: { ratio: 1 } }, { a: samples(1, 1, 5), b: samples(2, 2, 2) }).verdict, "met");
  assert.equal(
    summary({ more: true, target: { ratio: 1 } }, { a: samples(1, 1, 5), b: samples(2, 2, 2) }).verdict,
    "missed",
  );
});

test("without the other balancer there is no verdict on a ratio", () => {
  assert.equal(summary({ target: { ratio: 1 } }, { a: samples(1), b: [] }).verdict, undefined);
});

test("a development version is older than its release and newer than the release before", () => {
  const sorted = ["3.5-dev5", "2.6.12-1+deb12u4", "3.5.0", "3.4.2", "3.5-dev12"].sort(compareVersions);
  assert.deepEqual(sorted, ["2.6.12-1+deb12u4", "3.4.2", "3.5-dev5", "3.5-dev12", "3.5.0"]);
});

test("only established connections on the balancer's own port count as sessions", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1",
    "   1: 0100007F:1F41 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 12 1",
    "   2: 0100007F:9C40 0100007F:1F41 01 00000000:00000000 00:00000000 00000000     0        0 13 1",
  ].join("\n");
  assert.deepEqual([...establishedInodes(table, 8001)], ["12"]);
});

test("only sessions of the measured frontend are counted by field", () => {
  const text =
    "0x1: proto=tcpv4 fe=f be=b ts=00\n0x2: fe=f be=b ts=01\n0x3: fe=GLOBAL be=<NONE> ts=00\n0x4: fe=f be=b ts=01\n";
  assert.deepEqual(sessionsByField(text, "ts"), [2, 1]);
});

test("options out of range are refused with their name", () => {
  for (const argv of [
    ["--rounds", "0"],
    ["--only", "pp65"],
    ["--cores", "1,1"],
    ["--headgate-env", "X"],
  ])
    assert.throws(() => readOptions(argv), new RegExp(argv[0]));
});
