// A network of its own for a program and its servers, with packets dropped at will: what a pulled cable or a firewall does, which
// nothing that listens can imitate. Needs no root where the kernel lets everybody make namespaces.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { findCommand, whyMissing } from "./packages.ts";

const ENTER = ["--map-root-user", "--net"];
const TABLE = "add table inet cable; add chain inet cable in { type filter hook input priority 0; }";

/** For `ProgramOptions.shellBefore`: the program starts in a new network that has a loopback interface and nothing else. */
export const IN_NEW_NETWORK = `exec unshare ${ENTER.join(" ")} sh -c 'ip link set lo up && nft "${TABLE}" && exec "$@"' sh "$@"`;

/** "" if networks can be made here, else the reason for a test's title. */
export function whyNoNetwork(): string {
  const commands = ["unshare", "nsenter", "ip", "nft"];
  const missing = whyMissing(Object.fromEntries(commands.map((name) => [name, findCommand(name)])));
  if (missing !== "") return missing;
  const tried = spawnSync("sh", ["-c", IN_NEW_NETWORK, "sh", "true"], { encoding: "utf8" });
  return tried.status === 0 ? "" : ` (skipped: no network namespace: ${tried.stderr.trim().split("\n")[0]})`;
}

function entering(pid: number): string[] {
  return ["--target", String(pid), "--user", "--preserve-credentials", "--net"];
}

/** Starts a program in the network of process `pid`. */
export function startInNetworkOf(pid: number, command: string, args: readonly string[]): ChildProcess {
  return spawn("nsenter", [...entering(pid), command, ...args], { stdio: "ignore" });
}

/** From now on nothing that is sent to `address` arrives, in the network of process `pid`. */
export function dropPacketsTo(pid: number, address: string): void {
  execFileSync("nsenter", [...entering(pid), "nft", `add rule inet cable in ip daddr ${address} drop`]);
}
