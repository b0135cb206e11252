// Whether the HAProxy that the differentials are written for is on this machine.

import { spawnSync } from "node:child_process";

const found = spawnSync("haproxy", ["-v"], { encoding: "utf8" }).stdout ?? "";
const version = /version (\d+\.\d+)/.exec(found)?.[1];

/** "" if HAProxy 2.6 is on PATH, else what a test's title says about why it is skipped. */
export const whyNot = version === "2.6" ? "" : ` (skipped: needs HAProxy 2.6 on PATH, there is ${version ?? "none"})`;
