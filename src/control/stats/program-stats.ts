// What is kept about a running program besides its shared memory: rates, and its management connections. One for each program,
// made at first use (the stats socket's start), so that rates cover the whole run.

import type { Program } from "../program.ts";
import { ControlConnections } from "./control-connections.ts";
import { TrafficRates } from "./traffic-rates.ts";

export interface ProgramStats {
  readonly rates: TrafficRates;
  readonly controlConnections: ControlConnections;
}

const kept = new WeakMap<Program, ProgramStats>();

export function statsOf(program: Program): ProgramStats {
  const found = kept.get(program);
  if (found !== undefined) return found;
  const controlConnections = new ControlConnections();
  const rates = new TrafficRates(
    program.memory,
    program.registry,
    () => controlConnections.total,
    () => program.nowMs(),
  );
  rates.start();
  const stats: ProgramStats = { rates, controlConnections };
  kept.set(program, stats);
  return stats;
}
