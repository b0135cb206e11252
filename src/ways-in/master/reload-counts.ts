// Reloads of this process, as the master socket counts them. Control thread.

export class ReloadCounts {
  done = 0;
  /** In a row, up to now. */
  failed = 0;
  /** Wall clock ms of the last one that was done; undefined: none was. */
  lastMs: number | undefined;

  note(isDone: boolean): void {
    this.failed = isDone ? 0 : this.failed + 1;
    if (!isDone) return;
    this.done++;
    this.lastMs = Date.now();
  }
}
