// The same script on Headgate and on Debian's HAProxy 2.6: the same answers, but for the differences in runtime-masks.ts. Tables
// are compared value by value, so that a column that only one side has is named.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, loopbackAddress } from "../harness/ports.ts";
import { Program } from "../harness/program.ts";
import { echo, refuser, resetter, Upstream } from "../harness/upstream.ts";
import { whyNot } from "./haproxy-2.6.ts";
import { MASKS } from "./runtime-masks.ts";
import { SCRIPT, type Side } from "./runtime-script.ts";

interface Endpoints {
  readonly echoing: string;
  readonly refusing: string;
  readonly resetting: string;
}

const config = (host: string, ports: Side["ports"], upstreams: Endpoints): string => `
global
    maxconn 1000
    nbthread 1
defaults
    mode tcp
    balance roundrobin
    timeout client 1h
    timeout server 1h
    timeout connect 1h
    timeout queue 1h
    retries 1000
frontend fe
    bind ${host}:${ports.fe} name pub
    maxconn 100
    default_backend be
backend be
    server s1 ${upstreams.echoing} weight 10 maxconn 2
    server s2 127.0.0.1:9 backup disabled id 7
listen li
    bind ${host}:${ports.li}
    server x ${upstreams.refusing}
backend local
    server u unix@/nowhere/u.sock
backend empty
listen ends
    bind ${host}:${ports.ends}
    server r ${upstreams.resetting}
listen waits
    bind ${host}:${ports.waits}
    timeout queue 200ms
    server w ${upstreams.echoing} maxconn 1
listen bored
    bind ${host}:${ports.bored}
    timeout server 300ms
    server r ${upstreams.resetting}
`;

/** One value, and where it stands: as text, typed and JSON output come to the same lines. */
const valueLines = (row: string, position: string, name: string, tags: string, type: string, value: string): string =>
  `@ ${row || "info"} ${position} ${name} ${tags} ${type}\n${row === "" ? `${name}: ${value}` : `${row} ${name}=${value}`}\n`;

interface JsonItem {
  readonly objType?: string;
  readonly proxyId?: number;
  readonly id?: number;
  readonly field: { readonly pos: number; readonly name: string };
  readonly tags: { readonly origin: string; readonly nature: string; readonly scope: string };
  readonly value: { readonly type: string; readonly value: string | number };
}

function jsonLines(text: string): string {
  const items = (JSON.parse(text) as (JsonItem | JsonItem[])[]).flat();
  const lines = items.map(({ objType, proxyId, id, field, tags, value }) => {
    const row = objType === undefined ? "" : `${objType}.${proxyId}.${id}`;
    const words = `${tags.origin}/${tags.nature}/${tags.scope}`;
    return valueLines(row, `${field.pos}`, field.name, words, value.type, `${value.value}`);
  });
  return lines.join("");
}

/** CSV, typed lines and JSON as one value a line; everything else as it is. */
function render(text: string): string {
  if (text.startsWith("# pxname")) {
    const [header, ...rows] = text.split("\n");
    const names = header!.slice(2).split(",");
    const lines = rows.flatMap((row) => {
      const cells = row.split(",");
      return cells.map((cell, i) =>
        cell === "" || cell === "-" ? "" : `${cells[0]}/${cells[1]} ${names[i]}=${cell}\n`,
      );
    });
    return `${names.slice(0, 103).join(" ")}\n${lines.join("")}`;
  }
  if (text.startsWith("[{") || text.startsWith("[[")) return jsonLines(text);
  return text.replace(
    /^(?:([FBS]\.\d+\.\d+)\.)?(\d+)\.([^.\n]+)\.1:(\w+):(\w+):(.*)\n/gm,
    (_, row: string | undefined, position: string, name: string, tags: string, type: string, value: string) =>
      valueLines(row ?? "", position, name, tags, type, value),
  );
}

const unused = new Set(MASKS);

function masked(text: string, on: "haproxy" | "headgate"): string {
  let result = render(text);
  for (const mask of MASKS) {
    if (mask.on !== undefined && mask.on !== on) continue;
    const before = result;
    result = result.replace(mask.pattern, mask.to);
    if (result !== before) unused.delete(mask);
  }
  return result;
}

const LINES = SCRIPT.flatMap((step, index) => (typeof step === "string" ? [{ step, index }] : []));

describe.skipIf(whyNot !== "")(`the Runtime API against HAProxy 2.6${whyNot}`, () => {
  const answers: Record<"haproxy" | "headgate", string[]> = { haproxy: [], headgate: [] };
  const programs: Program[] = [];
  const upstreams: Upstream[] = [];

  beforeAll(async () => {
    upstreams.push(await Upstream.start(echo), await Upstream.start(resetter));
    const [echoing, resetting] = upstreams.map((upstream) => upstream.endpoint) as [string, string];
    const refusing = (await refuser()).endpoint;
    process.env.HEADGATE_COMPAT = "set";
    const sides = [
      { name: "haproxy", host: loopbackAddress(11), executable: "haproxy" },
      { name: "headgate", host: loopbackAddress(12), executable: undefined },
    ] as const;
    for (const { name, host, executable } of sides) {
      const [fe, li, ends, waits, bored] = [
        await freePort(host),
        await freePort(host),
        await freePort(host),
        await freePort(host),
        await freePort(host),
      ];
      const ports = { fe, li, ends, waits, bored };
      const text = config(host, ports, { echoing, refusing, resetting });
      const program = await Program.start({ config: text, ...(executable === undefined ? {} : { executable }) });
      programs.push(program);
      const side: Side = { program, host, ports, clients: [] };
      for (const [index, step] of SCRIPT.entries()) {
        if (typeof step === "string") answers[name][index] = await program.runtime(step);
        else await step.run(side);
      }
      for (const client of side.clients) client.close();
    }
  });

  afterAll(async () => {
    for (const program of programs) await program.stop();
    for (const upstream of upstreams) await upstream.close();
  });

  it.each(LINES)("$index: $step", ({ index }) => {
    expect(masked(answers.headgate[index]!, "headgate")).toBe(masked(answers.haproxy[index]!, "haproxy"));
  });

  it("every mask is needed", () => {
    expect([...unused].map((mask) => `${mask.pattern} (${mask.reason})`)).toEqual([]);
  });
});
