// The same conversations with the master sockets of Headgate and of Debian's HAProxy 2.6, but for numbers, times and versions.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { Transcript } from "../harness/transcript.ts";
import { waitFor } from "../harness/wait-for.ts";

const found = /version (\d+\.\d+)/.exec(spawnSync("haproxy", ["-v"], { encoding: "utf8" }).stdout ?? "")?.[1];
const whyNot = found === "2.6" ? "" : ` (skipped: needs HAProxy 2.6 on PATH, there is ${found ?? "none"})`;

const opened = closeAfterEach();

/** What is typed, and how the answer ends; P stands for the worker's number, V for the version. */
const SCRIPT: readonly (readonly [line: string, end: string])[] = [
  ["show version", "\n\n"],
  ["show cli level", "\n\n"],
  ["show proc", "\n\n"],
  ["@1 show version;show version", "V\n\nV\n\n"],
  ["@!P show version", "\n\n"],
  ["prompt", "master> "],
  ["show version", "\n\nmaster> "],
  ["@1", "P> "],
  ["show version", "\n\nP> "],
  ["get weight be/a", "\n\nP> "],
  ["@master", "master> "],
  ["@1;show version", "\n\nP> "],
  ["@", "master> "],
  ["operator", "master> "],
  ["@1 disable server be/a", "\n\nmaster> "],
  ["@1 show cli level", "\n\nmaster> "],
  ["@1 quit", "master> "],
];

/** HAProxy's master starts itself anew once its worker runs, and forgets whom it was talking to. */
async function untilAnswered(socket: string): Promise<void> {
  let attempt = opened(new Transcript(socket));
  attempt.send("show version");
  await waitFor(() => {
    if (attempt.ended || attempt.socket.destroyed) {
      attempt = opened(new Transcript(socket));
      attempt.send("show version");
    }
    return attempt.text !== "";
  }, "the master socket to answer");
}

async function transcript(executable: string | undefined): Promise<string> {
  const socket = join(opened(temporaryDirectory()).path, "master.sock");
  const config = `
    nbthread 1
defaults
    mode tcp
    timeout client 1h
    timeout server 1h
    timeout connect 1h
frontend fe
    bind 127.0.0.1:${await freePort()}
    default_backend be
backend be
    server a 127.0.0.1:1
`;
  const args = ["-W", "-S", socket];
  opened(await Program.start({ config, args, ...(executable === undefined ? {} : { executable }) }));
  await untilAnswered(socket);
  const conversation = opened(new Transcript(socket));
  const version = (await conversation.ask("@1 show version", "\n\n")).trim();
  const worker = /(\d+) +worker/.exec(await conversation.ask("show proc", "\n\n"))?.[1] ?? "";
  const real = (text: string): string => text.replaceAll("P", worker).replaceAll("V", version);
  const from = conversation.text.length;
  for (const [line, end] of SCRIPT) await conversation.ask(real(line), real(end));
  const to = conversation.text.length;
  conversation.send("quit");
  await conversation.waitForEnd();
  return conversation.text
    .slice(from, to)
    .replaceAll(version, "V")
    .replace(/^\d+ +(master|worker)(.*?)\d+d\d\dh\d\dm\d\ds.*$/gm, "P $1$2 T")
    .replaceAll(`${worker}> `, "P> ")
    .replace("# programs\n", "");
}

describe.skipIf(whyNot !== "")(`the master socket${whyNot}`, () => {
  it("answers as HAProxy's does", async () => {
    const [ours, theirs] = [await transcript(undefined), await transcript("haproxy")];
    expect(ours).toBe(theirs);
    expect(ours).toContain("P worker");
  });
});
