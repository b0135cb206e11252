// From raw samples to what is reported: medians, ratios paired by round, targets met or missed. Pure.

/**
 * @typedef {{round: number, sample?: import("./measures.mjs").Sample, error?: string}} Taken
 *
 * @typedef {object} Raw  every sample of one measure, by balancer
 * @property {import("./measures.mjs").Measure} measure
 * @property {Record<string, Taken[]>} taken
 *
 * @typedef {{median: number, min: number, max: number, rounds: number}} Spread
 *
 * @typedef {object} Row
 * @property {string} measure
 * @property {import("./measures.mjs").Figure} figure
 * @property {Record<string, Spread | undefined>} values   by balancer
 * @property {Record<string, Spread | undefined>} ratios   Headgate / other, by other balancer
 * @property {"met" | "missed" | "failed" | undefined} verdict
 */

/** @param {number[]} values at least one @returns {Spread} */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1), rounds: sorted.length };
}

/** The figures of the rounds that worked. @param {Taken[]} taken @param {string} key */
function figures(taken, key) {
  return new Map(
    taken.flatMap(({ round, sample }) => (typeof sample?.[key] === "number" ? [[round, sample[key]]] : [])),
  );
}

/** Headgate / other, only of rounds in which both have a figure and the other's is above zero. */
function pairedRatio(ours, theirs) {
  const ratios = [...ours].flatMap(([round, value]) => (theirs.get(round) > 0 ? [value / theirs.get(round)] : []));
  return ratios.length > 0 ? spread(ratios) : undefined;
}

/**
 * @param {Raw[]} raws
 * @param {string[]} ids         balancers, in the order of the table
 * @param {string | undefined} subject    the one that has targets (Headgate)
 * @param {string | undefined} reference  the one that targets refer to (newest HAProxy)
 * @returns {Row[]}
 */
export function summarize(raws, ids, subject, reference) {
  return raws.flatMap(({ measure, taken }) =>
    measure.figures.map((figure) => {
      const byId = new Map(ids.map((id) => [id, figures(taken[id] ?? [], figure.key)]));
      const ours = (subject && byId.get(subject)) || new Map();
      const values = Object.fromEntries(
        ids.map((id) => [id, byId.get(id).size ? spread([...byId.get(id).values()]) : undefined]),
      );
      const ratios = Object.fromEntries(
        ids.filter((id) => id !== subject).map((id) => [id, pairedRatio(ours, byId.get(id))]),
      );
      const failed = subject !== undefined && (taken[subject] ?? []).some(({ error }) => error);
      const verdict = failed ? "failed" : judge(figure, values[subject], ratios[reference]);
      return { measure: measure.name, figure, values, ratios, verdict };
    }),
  );
}

/** Bounds on a value hold in every round; bounds on a ratio hold for the median of the rounds. */
function judge({ target, more }, value, ratio) {
  if (!target) return undefined;
  if ("value" in target) return value && (value.max <= target.value ? "met" : "missed");
  if (!ratio) return undefined;
  return (more ? ratio.median >= target.ratio : ratio.median <= target.ratio) ? "met" : "missed";
}

/** The cores that balancer and load kept busy, median over the rounds: which of the two was the limit? */
export function busyCores(taken) {
  const share = (key) => taken.flatMap(({ sample }) => (sample?.[key] >= 0 ? [sample[key] / sample.seconds] : []));
  const [balancer, load] = [share("balancerCpuSeconds"), share("loadCpuSeconds")];
  return balancer.length > 0 ? { balancer: spread(balancer).median, load: spread(load).median } : undefined;
}
