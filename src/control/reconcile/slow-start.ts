// `slowstart`: how much of its weight and of its maxconn a server has some time after it came up, by HAProxy's arithmetic. Pure.

import { LOAD_WEIGHT_SCALE } from "../../memory/server-row.ts";

/** Steps of the way up. HAProxy looks once a second. */
const STEPS = 20;
/** More often would not be seen. */
const STEP_LEAST_MS = 50;

/** What a server counts for: as in V_LOAD_WEIGHT and V_LIMIT. */
export interface ServerLoad {
  readonly loadWeight: number;
  /** 0: no limit. */
  readonly limit: number;
}

export const fullLoad = (weight: number, maxconn: number): ServerLoad => ({
  loadWeight: weight * LOAD_WEIGHT_SCALE,
  limit: maxconn,
});

/**
 * The load `elapsedMs` after the server came up, of `slowStartMs`: from a sixteenth of its weight upwards, and from one session.
 * `weightRamps`: false where load balancing goes by a map of weights (`balance source`).
 */
export function loadAt(
  weight: number,
  maxconn: number,
  elapsedMs: number,
  slowStartMs: number,
  weightRamps: boolean,
): ServerLoad {
  if (elapsedMs >= slowStartMs) return fullLoad(weight, maxconn);
  const passed = Math.max(0, elapsedMs) / slowStartMs;
  const sixteenths = weightRamps ? 1 + Math.floor(LOAD_WEIGHT_SCALE * passed) : LOAD_WEIGHT_SCALE;
  return {
    loadWeight: weight * sixteenths,
    limit: maxconn === 0 ? 0 : Math.max(1, Math.floor((maxconn * Math.floor(100 * passed)) / 100)),
  };
}

/** From one step to the next. */
export const stepMs = (slowStartMs: number): number => Math.max(STEP_LEAST_MS, slowStartMs / STEPS);

/** `weight` in `show stat`. */
export const shownWeight = (loadWeight: number): number => Math.ceil(loadWeight / LOAD_WEIGHT_SCALE);

/** `throttle` in `show stat`, percent, rounded as HAProxy does. `weight` is not 0. */
export const throttlePercent = (loadWeight: number, weight: number): number =>
  Math.floor((100 * loadWeight + LOAD_WEIGHT_SCALE - 1) / (LOAD_WEIGHT_SCALE * weight));
