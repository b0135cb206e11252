// All frontends at once: their listening sockets, for whoever takes them over, and their ports, for whoever wants to bind them. Control thread.

import type { Program } from "../program.ts";
import type { ProxyEntry } from "../registry.ts";

/** Descriptors of the listening sockets that are open. */
export const listeningSockets = ({ registry }: Program): readonly number[] =>
  registry.listenersByIndex.flatMap((entry) => (entry === undefined || entry.fd < 0 ? [] : [entry.fd]));

const frontendsOf = ({ registry }: Program): readonly ProxyEntry[] =>
  registry.proxies.filter(({ isFrontend, config }) => isFrontend && !config.disabled);

/** Gives up all ports (SIGTTOU), until `resumeAll` (SIGTTIN). Those that are paused or stopped already stay so. */
export async function pauseAll(program: Program): Promise<void> {
  for (const proxy of frontendsOf(program)) await program.commit({ kind: "pause-frontend", proxy, lendsPorts: true });
}

/** Accepts again wherever `pauseAll` has paused it: what an operator disabled stays so. */
export async function resumeAll(program: Program): Promise<void> {
  for (const proxy of frontendsOf(program))
    if (proxy.lendsPorts) await program.commit({ kind: "resume-frontend", proxy });
}
