// A balancer that is reloaded while it works: Headgate, or HAProxy in master-worker mode. Both by SIGUSR2, as their units do.
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { family, start, temporaryFolder } from "./processes.mjs";

export const PATIENCE_MS = 120_000;
const POLL_MS = 5;

/** Waits for a condition. @param {string} what @param {() => Promise<boolean> | boolean} condition */
export async function until(what, condition) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(POLL_MS);
  }
}

/** One command's answer; "" while nobody answers. Closed for writing at once: a master socket goes on waiting for commands otherwise. */
export function ask(path, line) {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(path, () => socket.end(`${line}\n`));
    socket.setEncoding("utf8").on("data", (part) => {
      text += part;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * @typedef {object} Reloadable
 * @property {number} port      where clients connect
 * @property {string} socket    path of the stats socket
 * @property {string} master    path of the master socket (HAProxy)
 * @property {() => number[]} pids  all its processes
 * @property {(n: number) => Promise<void>} reload  puts generation `n` in force; resolves when the stats socket answers for it
 * @property {() => Promise<number[]>} oldWorkers  processes that earlier generations left behind, the youngest first
 * @property {() => Promise<void>} stop
 */

/**
 * Starts a balancer with generation 0. `sections` gives all of a generation but `global`; one of its servers has to be called "s<n>",
 * which is how one sees what is in force.
 * @param {import("./balancers.mjs").Balancer} balancer
 * @param {{cores: string, maxconn: number, sections: (n: number, port: number) => string}} wish
 * @returns {Promise<Reloadable>}
 */
export async function startReloadable(balancer, { cores, maxconn, sections }) {
  const name = join(temporaryFolder(), balancer.id.replaceAll(/\W/g, ""));
  const [file, socket, master] = [`${name}.cfg`, `${name}.s`, `${name}.m`];
  const port = await freePort();
  const write = (n) =>
    writeFileSync(
      file,
      `global\n  maxconn ${maxconn}\n  nbthread 2\n  stats socket ${socket} level admin\n${sections(n, port)}`,
    );
  const isHaproxy = balancer.kind === "haproxy";
  // A master that is asked again before it is done with the reload before loses the signal: it answers when it is.
  const isMasterReady = async () => !isHaproxy || (await ask(master, "show proc")).includes("# workers");
  const isInForce = async (n) =>
    (await ask(socket, "show servers state")).includes(` s${n} `) && (await isMasterReady());
  write(0);
  const words = isHaproxy ? ["-W", "-S", master, "-f", file] : balancer.args(file);
  const started = start(balancer.program, words, { cores, env: balancer.env, name: balancer.id });
  try {
    await until(`${balancer.id} to start`, () => isInForce(0));
  } catch (error) {
    await started.stop();
    throw new Error(`${error.message}: ${started.stderr.trim()}`);
  }
  return {
    port,
    socket,
    master,
    pids: () => family(started.pid),
    reload: async (n) => {
      write(n);
      process.kill(started.pid, "SIGUSR2");
      await until(`generation ${n} of ${balancer.id}`, () => isInForce(n));
    },
    oldWorkers: async () => {
      if (!isHaproxy) return [];
      const rows = (await ask(master, "show proc")).split("\n");
      const from = rows.findIndex((row) => row.startsWith("# old workers"));
      return rows.slice(from < 0 ? rows.length : from + 1).flatMap((row) => {
        const [pid, kind] = row.trim().split(/\s+/);
        return kind === "worker" ? [Number(pid)] : [];
      });
    },
    stop: () => started.stop(),
  };
}
