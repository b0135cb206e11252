import { expect, test } from "vitest";
import { AdminState, OperState } from "../../memory/server-row.ts";
import { noServerMessage, proxyStoppedMessage, type ServerCondition, serverStateMessages } from "./server-messages.ts";

const { RESOLUTION_MAINT, FORCED_MAINT, INHERITED_MAINT, CONFIG_MAINT, FORCED_DRAIN, INHERITED_DRAIN } = AdminState;
const up = (admin = 0): ServerCondition => ({ admin, oper: OperState.RUNNING });
const stopped = (admin = 0): ServerCondition => ({ admin, oper: OperState.STOPPED });
const counts = { active: 0, backup: 1, sessions: 4, requeued: 2, queued: 3 };

test.each<[string, ServerCondition, ServerCondition, readonly string[]]>([
  [
    "into maintenance",
    up(),
    stopped(FORCED_MAINT),
    [
      "1 Server be/s is going DOWN for maintenance. 0 active and 1 backup servers left. Running on backup. 4 sessions active, 2 requeued, 3 remaining in queue.",
    ],
  ],
  [
    "into maintenance from drain",
    up(FORCED_DRAIN),
    stopped(FORCED_DRAIN | FORCED_MAINT),
    [
      "5 Server be/s is going DOWN for maintenance. 0 active and 1 backup servers left. Running on backup. 4 sessions active, 2 requeued, 3 remaining in queue.",
    ],
  ],
  [
    "into maintenance while down",
    stopped(),
    stopped(FORCED_MAINT),
    ["5 Server be/s was DOWN and now enters maintenance."],
  ],
  [
    "out of maintenance",
    stopped(FORCED_MAINT | CONFIG_MAINT),
    up(CONFIG_MAINT),
    ["5 Server be/s is UP/READY (leaving forced maintenance)."],
  ],
  [
    "out of maintenance, down",
    stopped(FORCED_MAINT),
    stopped(),
    ["5 Server be/s is DOWN/READY (leaving forced maintenance)."],
  ],
  [
    "out of maintenance into drain",
    stopped(FORCED_MAINT),
    up(FORCED_DRAIN),
    [
      "5 Server be/s is UP/DRAIN (leaving forced maintenance).",
      "5 Server be/s enters drain state. 0 active and 1 backup servers online. Running on backup. 2 sessions requeued, 3 total in queue.",
    ],
  ],
  [
    "out of maintenance because the name resolves",
    stopped(RESOLUTION_MAINT),
    up(),
    ["5 Server be/s ('db.test') is UP/READY (resolves again)."],
  ],
  [
    "the name resolves, in forced maintenance",
    stopped(RESOLUTION_MAINT | FORCED_MAINT),
    stopped(FORCED_MAINT),
    ["5 Server be/s ('db.test') resolves again but remains in maintenance."],
  ],
  [
    "out of inherited maintenance",
    stopped(INHERITED_MAINT),
    up(),
    ["5 Server be/s is UP/READY (leaving maintenance)."],
  ],
  [
    "one of two maintenances left",
    stopped(FORCED_MAINT | INHERITED_MAINT),
    stopped(INHERITED_MAINT),
    ["5 Server be/s is leaving forced maintenance but remains in maintenance."],
  ],
  ["out of drain", up(FORCED_DRAIN), up(), ["5 Server be/s is UP (leaving forced drain)."]],
  [
    "one of two drains left",
    up(FORCED_DRAIN | INHERITED_DRAIN),
    up(INHERITED_DRAIN),
    ["5 Server be/s remains in drain mode."],
  ],
  ["nothing changed", up(), up(), []],
  ["nothing changed in maintenance", stopped(FORCED_MAINT), stopped(FORCED_MAINT), []],
])("%s", (_, before, after, expected) => {
  const names = { backend: "be", server: "s", isBackup: false, fqdn: "db.test" };
  const messages = serverStateMessages(names, before, after, counts);
  expect(messages.map(({ level, text }) => `${level} ${text}`)).toEqual(expected);
});

test("backup servers are named so", () => {
  const names = { backend: "be", server: "s", isBackup: true };
  const [message] = serverStateMessages(names, up(), stopped(FORCED_MAINT), { ...counts, active: 2, backup: 0 });
  expect(message.text).toMatch(
    /^Backup Server be\/s is going DOWN for maintenance\. 2 active and 0 backup servers left\. 4 sessions/,
  );
});

test("messages about a proxy", () => {
  expect(noServerMessage("listen", "l")).toEqual({
    level: 0,
    text: "proxy l has no server available!",
    terminalText: "proxy 'l' has no server available!",
  });
  expect(noServerMessage("backend", "b").text).toBe("backend b has no server available!");
  expect(proxyStoppedMessage("f", 6, 5)).toEqual({
    level: 4,
    text: "Proxy f stopped (cumulated conns: FE: 6, BE: 5).",
  });
});
