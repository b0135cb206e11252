// `rebalance`: how many sessions the servers of a group have over their share by weight. Pure.

/** A server of the group; `weight` in any unit, the same for all. */
export interface Share {
  readonly sessions: number;
  readonly weight: number;
}

/** So much over its share a server may have. */
const SPREAD = 0.1;

/**
 * How many sessions each server has too many. `awaited`: clients that were let go and are on their way back count as if they were there,
 * so that nobody is let go for want of them. What is over ends at 10 % above the share: no server falls below its own by it.
 */
export function sessionsOver(servers: readonly Share[], awaited: number): number[] {
  const total = servers.reduce((sum, { sessions }) => sum + sessions, awaited);
  const weights = servers.reduce((sum, { weight }) => sum + weight, 0);
  return servers.map(({ sessions, weight }) => {
    const share = weights === 0 ? sessions : (total * weight) / weights;
    // A little less than the whole above it, because of fractions that should be one.
    return Math.max(0, sessions - Math.max(Math.ceil(share - 1e-9), Math.floor(share * (1 + SPREAD) + 1e-9)));
  });
}

/** Deals `most` out, from the fullest by weight downwards; never more than a server has over. */
export function takeFromFullest(servers: readonly Share[], over: readonly number[], most: number): number[] {
  const taken = servers.map(() => 0);
  const fullness = (at: number): number =>
    taken[at]! < over[at]! ? (servers[at]!.sessions - taken[at]!) / servers[at]!.weight : -1;
  for (let left = most; left > 0; left--) {
    let fullest = 0;
    for (let at = 1; at < servers.length; at++) if (fullness(at) > fullness(fullest)) fullest = at;
    if (servers.length === 0 || fullness(fullest) < 0) break;
    taken[fullest]!++;
  }
  return taken;
}
