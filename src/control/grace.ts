// The time between the order for a soft stop and its beginning (`grace`), in which clients are served as before. Control thread.

/** Resolves when the time is over; `tell` hears of it before. */
export async function gracePeriod(graceMs: number | undefined, tell: (text: string) => void): Promise<void> {
  if (graceMs === undefined) return;
  tell(`Scheduling a soft-stop in ${graceMs} ms.`);
  await new Promise((resolve) => setTimeout(resolve, graceMs));
}
