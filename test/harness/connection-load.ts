// The benchmark's load generator in a test: thousands of connections a second, each of which has to be answered. Needs a C compiler.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../bench/load.c", import.meta.url));

export interface LoadResult {
  /** Connections that were answered, and those that failed in any way. */
  readonly count: number;
  readonly errors: number;
}

export class ConnectionLoad {
  /** Of the upstream that echoes, on 127.0.0.1. */
  readonly upstreamPort: number;
  readonly #directory: string;
  readonly #program: string;
  readonly #upstream: ChildProcess;

  private constructor(directory: string, program: string, upstream: ChildProcess, port: number) {
    this.#directory = directory;
    this.#program = program;
    this.#upstream = upstream;
    this.upstreamPort = port;
  }

  /** Compiles the generator and starts its upstream. */
  static async start(): Promise<ConnectionLoad> {
    const directory = mkdtempSync(join(tmpdir(), "headgate-load-"));
    const program = join(directory, "load");
    const cc = spawnSync("cc", ["-O2", "-o", program, SOURCE], { encoding: "utf8" });
    if (cc.status !== 0) throw new Error(`cc: ${cc.error?.message ?? cc.stderr}`);
    const upstream = spawn(program, ["echo"], { stdio: ["pipe", "pipe", "inherit"] });
    const { port } = JSON.parse(await firstLine(upstream)) as { readonly port: number };
    return new ConnectionLoad(directory, program, upstream, port);
  }

  /** Connects to 127.0.0.1:`port` over and over, some clients at once: connect, ask, be answered, close. */
  async run(port: number, seconds: number, clients: number): Promise<LoadResult> {
    const words = [`port=${port}`, `seconds=${seconds}`, "warmup=0", `connections=${clients}`, "size=64"];
    const load = spawn(this.#program, ["cr", ...words], { stdio: ["ignore", "pipe", "inherit"] });
    return JSON.parse(await firstLine(load)) as LoadResult;
  }

  close(): void {
    this.#upstream.kill("SIGKILL");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout!.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    child.on("error", reject);
    child.on("close", () => reject(new Error(`the load generator ended without a result: ${text}`)));
  });
}
