// The same server state files for Headgate and for Debian's HAProxy 2.6: every server starts in the same state, and the same is said of
// files and lines that are of no use.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../harness/closing.ts";
import { freePort } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { temporaryDirectory } from "../harness/temporary-directory.ts";
import { whyNot } from "./haproxy-2.6.ts";

const opened = closeAfterEach();

/** `server` lines, and what the file says of each: address, then from srv_op_state to srv_agent_state, and from srv_fqdn on. */
const SERVERS: readonly (readonly [line: string, record: string])[] = [
  ["down 127.0.0.1:11 check inter 1h weight 10", "127.0.0.9 0 0 7 10 111 8 2 0 6 0 0 0 - 12 - 0 0 - - 0"],
  ["drained 127.0.0.1:11 check inter 1h", "127.0.0.1 2 8 1 1 50 6 3 4 6 0 0 0 - 11 - 0 0 - - 0"],
  ["maint 127.0.0.1:11", "127.0.0.1 2 1 9 3 50 1 0 2 0 0 0 0 - 11 - 0 0 - - 0"],
  ["now-disabled 127.0.0.1:11 check inter 1h disabled", "127.0.0.1 2 0 1 1 50 6 3 4 6 0 0 0 - 11 - 0 0 - - 0"],
  ["no-longer-disabled 127.0.0.1:11", "127.0.0.1 0 5 1 1 50 1 0 0 0 0 0 0 - 11 - 0 0 - - 0"],
  ["enabled-since 127.0.0.1:11 disabled", "127.0.0.1 2 4 1 1 50 1 0 2 0 0 0 0 - 11 - 0 0 - - 0"],
  ["unchecked 127.0.0.1:11 check inter 1h", "127.0.0.1 2 0 1 1 50 6 3 4 2 0 0 0 - 11 - 0 0 - - 0"],
  ["elsewhere 127.0.0.1:11 check inter 1h", "127.0.0.1 2 0 1 1 50 6 3 4 6 0 0 0 - 11 - 0 81 127.0.0.3 - 0"],
  ["rising 127.0.0.1:11 check inter 1h rise 3", "127.0.0.1 1 0 1 1 50 6 3 2 6 0 0 0 - 11 - 0 0 - - 0"],
  ["stopping 127.0.0.1:11 check inter 1h", "127.0.0.1 3 0 1 1 50 16 4 3 6 0 0 0 - 11 - 0 0 - - 0"],
  ["named localhost:11 init-addr last,libc", "127.0.0.7 2 0 1 1 50 1 0 2 0 0 0 0 localhost 12 - 0 0 - - 0"],
  ["no-service 127.0.0.1:11", "127.0.0.1 2 0 1 1 50 1 0 2 0 0 0 0 x.example 12 _s._tcp.example 0 0 - - 0"],
  ["weightless 127.0.0.1:11 weight 3", "127.0.0.1 2 8 0 0 50 1 0 2 0 0 0 0 - 11 - 0 0 - - 0"],
  ["wrong 127.0.0.1:11 weight 3", "127.0.0.1 7 3 257 0 x 99 9 2 99 0 2 0 - 11 - 0 0 - - 0"],
  ["unknown 127.0.0.1:11 weight 3", ""],
  ["follower 127.0.0.1:11 track be/down", "127.0.0.1 2 0 1 1 50 1 0 2 0 0 0 0 - 11 - 0 0 - - 0"],
];

async function start(executable: string | undefined, file: string) {
  const config = [
    "global",
    "    nbthread 1",
    `    server-state-file ${file}`,
    "defaults",
    "    mode tcp",
    "    balance roundrobin",
    "    timeout client 1h",
    "    timeout server 1h",
    "    timeout connect 1h",
    "frontend fe",
    `    bind 127.0.0.1:${await freePort()}`,
    "    default_backend be",
    "backend be",
    "    load-server-state-from-file global",
    ...SERVERS.map(([line]) => `    server ${line}`),
    "",
  ].join("\n");
  const program = opened(await Program.start(executable === undefined ? { config } : { config, executable }));
  const rows = (await program.runtime("show servers state")).split("\n").filter((line) => /^\d+ be /.test(line));
  // How long ago, in seconds, may differ by what the start took; a check that was begun at once is not a state.
  const states = rows.map((line) => {
    const fields = line.split(" ");
    fields[9] = Number(fields[9]) >= 40 ? "as in the file" : "since the start";
    return fields.join(" ");
  });
  const said = program.stderr
    .split("\n")
    .filter((line) => /server state file|server-state (partially|application)/.test(line))
    .map((line) => line.replace(/^.*?\) : (config : )?/, ""));
  return { states, said };
}

describe.skipIf(whyNot !== "")(`server state files${whyNot}`, () => {
  it("give every server the state that HAProxy gives it, and say the same of what is wrong", async () => {
    const file = join(opened(temporaryDirectory()).path, "servers");
    const lines = SERVERS.flatMap(([line, record], at) =>
      record === "" ? [] : [`3 be ${at + 1} ${line.split(" ")[0]} ${record}`],
    );
    writeFileSync(file, `1\n# columns\n${lines.join("\n")}\n`);
    const [ours, theirs] = [await start(undefined, file), await start("haproxy", file)];
    expect(ours.states).toEqual(theirs.states);
    // All files are read before the first server has its state.
    expect([...ours.said].sort()).toEqual([...theirs.said].sort());
    expect(ours.said).toHaveLength(2);
  });

  it.each([["1\n#\n3 be 1 down"], ["7\n"]])("are refused as HAProxy refuses them: %j", async (text) => {
    const file = join(opened(temporaryDirectory()).path, "servers");
    writeFileSync(file, text);
    const [ours, theirs] = [await start(undefined, file), await start("haproxy", file)];
    expect(ours.said).toEqual(theirs.said);
    expect(ours.said).toHaveLength(1);
    expect(ours.states).toEqual(theirs.states);
  });
});
