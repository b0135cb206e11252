// What samples are made of: a fresh upstream and balancer around some work, and a load over a window of time.
import { startBalancer } from "./balancers.mjs";
import { runTool, startKnocking, startUpstream } from "./tools.mjs";

export const PATIENCE_MS = 60_000;

/**
 * One fresh upstream and balancer around `work`.
 * @template T
 * @param {import("./measures.mjs").Run} run
 * @param {import("./balancers.mjs").Balancer} balancer
 * @param {{upstream?: "echo" | "discard" | "http", checks?: import("./configs.mjs").Settings["checks"], other?: boolean, threads?: number, splice?: boolean, maxconn?: number, cores?: string, loadCores?: string, loadFirst?: boolean}} wish  loadFirst: load and upstream stand for other machines
 * @param {(at: {port: number, otherPort: number, socket: string, pids: () => number[], upstreamPid: number, upstreamPort: number}) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withBalancer(run, balancer, wish, work) {
  const {
    upstream: kind = "echo",
    threads = 1,
    splice = false,
    maxconn = run.sizes.maxconn,
    checks,
    other = false,
  } = wish;
  const upstream = await startUpstream(run.tools.load, kind, wish.loadCores ?? run.cores.load, wish.loadFirst);
  const second = other ? await startUpstream(run.tools.load, kind, wish.loadCores ?? run.cores.load) : undefined;
  try {
    const cores = wish.cores ?? run.cores.balancer;
    const wished = {
      upstreamPort: upstream.port,
      maxconn,
      threads,
      splice,
      cores,
      ...(checks ? { checks } : {}),
      otherUpstreamPort: second?.port,
    };
    const started = await startBalancer(balancer, wished);
    try {
      return await work({ ...started, upstreamPid: upstream.pid, upstreamPort: upstream.port });
    } finally {
      await started.stop();
    }
  } finally {
    await Promise.all([upstream.stop(), second?.stop()]);
  }
}

/**
 * One load over one window of time, with the balancer's CPU per operation. `wish` is that of `withBalancer`; with `knocksPerSecond` another
 * process makes that many connections to the upstream meanwhile.
 */
export function window(run, balancer, mode, values, wish = {}) {
  const upstream = mode === "bulk" ? "discard" : "echo";
  return withBalancer(run, balancer, { upstream, ...wish }, async ({ port, pids, upstreamPid, upstreamPort }) => {
    const timed = {
      port,
      seconds: run.seconds,
      warmup: run.warmupSeconds,
      pids: pids().join(","),
      upstream: upstreamPid,
    };
    const cores = wish.loadCores ?? run.cores.load;
    const knocks = wish.knocksPerSecond;
    const knocking = knocks
      ? await startKnocking(run.tools.load, { port: upstreamPort, rate: knocks, cores, timeoutMs: PATIENCE_MS })
      : undefined;
    try {
      const timeoutMs = (run.seconds + run.warmupSeconds) * 1000 + PATIENCE_MS;
      const sample = await runTool(
        run.tools.load,
        [mode],
        { ...timed, ...values },
        { cores, timeoutMs, first: wish.loadFirst },
      );
      return { ...sample, cpuUs: (sample.balancerCpuSeconds * 1e6) / sample.count };
    } finally {
      await knocking?.close();
    }
  });
}
