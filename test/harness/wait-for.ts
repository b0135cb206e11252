// Waiting for a condition instead of for a time: every test of this folder's users polls through here. The bound is generous,
// because it only decides how long a failing test takes, never whether a test passes.

/** The first looks come soon; the later ones leave the machine to what is waited for. */
const POLL_LEAST_MS = 2;
const POLL_MOST_MS = 20;

/** How long a condition may stay false before the test fails, in milliseconds. */
export const WAIT_BOUND_MS = Number(process.env.HEADGATE_WAIT_BOUND_MS ?? 60_000);

/**
 * Polls until `condition` gives a truthy value, and returns that value.
 * `what` completes "waited for ..."; a function is called at the end, to show the state that was found instead.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  what: string | (() => string),
  boundMs: number = WAIT_BOUND_MS,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + boundMs;
  for (let pollMs = POLL_LEAST_MS; ; pollMs = Math.min(POLL_MOST_MS, pollMs * 1.5)) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`waited for ${typeof what === "string" ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
