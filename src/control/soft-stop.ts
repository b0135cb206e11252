// A soft stop (SIGUSR1): after the time of `grace` listeners close, sessions go on, and it is over with the last one, at the latest
// after `hard-stop-after`. It says what HAProxy says, in its order. Control thread.

import { CB_SESSIONS } from "../memory/counters.ts";
import { P_FRONT_SESSIONS, PROXY_WORDS } from "../memory/proxy-row.ts";
import type { SharedMemory } from "../memory/shared-memory.ts";
import type { Commit } from "./change.ts";
import { proxyStoppedMessage } from "./log/server-messages.ts";
import { LogLevel } from "./log/syslog-frame.ts";
import type { ProxyEntry, Registry } from "./registry.ts";
import { CounterBlocks } from "./stats/sums.ts";

/** What a soft stop works with. */
export interface SoftStopHost {
  readonly registry: Registry;
  readonly memory: SharedMemory;
  readonly commit: Commit;
  /** Sessions of the process right now. */
  connections(): number;
  /** Says it on the terminal and in the log; `terminalLevel` where they differ. */
  note(level: LogLevel, text: string, proxy?: ProxyEntry, terminalLevel?: LogLevel): void;
  onProgress(listener: () => void): () => void;
  cutAll(): Promise<unknown>;
}

/** Resolves when no session is left. */
export async function softStop(host: SoftStopHost): Promise<void> {
  const { graceMs, hardStopAfterMs } = host.registry.config.global;
  if (graceMs !== undefined) {
    host.note(LogLevel.WARNING, `Scheduling a soft-stop in ${graceMs} ms.`, undefined, LogLevel.NOTICE);
    await new Promise((resolve) => setTimeout(resolve, graceMs));
    host.note(LogLevel.NOTICE, "Grace period expired, proceeding with soft-stop now.");
  }
  await closeToClients(host);
  await new Promise<void>((resolve) => {
    const timer = hardStopAfterMs === undefined ? undefined : setTimeout(() => void hardStop(host), hardStopAfterMs);
    const unsubscribe = host.onProgress(() => {
      if (host.connections() > 0) return;
      clearTimeout(timer);
      unsubscribe();
      resolve();
    });
  });
}

/** Each frontend says that it stopped, then each backend, which gets nobody new any more. */
async function closeToClients({ registry, memory, commit, note }: SoftStopHost): Promise<void> {
  const proxies = registry.proxies.filter(({ config }) => !config.disabled);
  for (const proxy of proxies) if (proxy.isFrontend) await commit({ kind: "shutdown-frontend", proxy });
  for (const proxy of proxies) {
    if (proxy.isFrontend || proxy.leaving !== undefined) continue;
    const sessions = CounterBlocks.ofProxy(memory, proxy.index).sum(CB_SESSIONS);
    const { level, text } = proxyStoppedMessage(proxy.name, 0, sessions);
    note(level, text, proxy);
  }
}

async function hardStop({ registry, memory, note, cutAll }: SoftStopHost): Promise<void> {
  note(LogLevel.WARNING, "soft-stop running for too long, performing a hard-stop.");
  for (const proxy of registry.proxies) {
    if (!proxy.isFrontend) continue;
    const own = Atomics.load(memory.proxiesI32, proxy.index * PROXY_WORDS + P_FRONT_SESSIONS);
    if (own > 0)
      note(LogLevel.WARNING, `Proxy ${proxy.name} hard-stopped (${own} remaining conns will be closed).`, proxy);
  }
  await cutAll();
}
