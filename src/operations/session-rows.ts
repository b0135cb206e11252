// Walks over the selected sessions of the table, in parts with pauses between, so that its size does not hold up the control thread.

import type { Program } from "../control/program.ts";
import { SessionReader, usedRows } from "../control/stats/session-reader.ts";
import { isSelected, type Selector } from "../memory/selector.ts";
import { S_GENERATION, SESSION_WORDS } from "../memory/session-row.ts";
import { slotsUsed } from "../memory/shared-memory.ts";

/** Rows that are looked at before the control thread does something else. */
const ROWS_PER_PART = 256;

/** A session in a reader's copy, valid until the next one; the clock as it was read for its part of the table. */
export interface SelectedRow {
  readonly reader: SessionReader;
  readonly thread: number;
  readonly nowMs: number;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const isTaken = (program: Program, row: number): boolean =>
  (program.memory.sessions[row * SESSION_WORDS + S_GENERATION] & 1) === 1;

/** Visits each selected session; `endOfPart` is called after each part of the table, and what it answers is handed on. */
export async function* visitSelected<T>(
  program: Program,
  selector: Selector,
  visit: (row: SelectedRow) => void,
  endOfPart: () => T | undefined,
): AsyncGenerator<T> {
  const reader = new SessionReader(program.memory);
  for (let thread = 0; thread < slotsUsed(program.memory); thread++) {
    const { from, to } = usedRows(program.memory, thread);
    for (let row = from; row < to; ) {
      const nowMs = program.nowMs();
      const end = Math.min(to, row + ROWS_PER_PART);
      for (; row < end; row++) {
        if (!isTaken(program, row) || !reader.read(row)) continue;
        if (isSelected(selector, reader.words, reader.f64, 0, nowMs)) visit({ reader, thread, nowMs });
      }
      const part = endOfPart();
      if (part !== undefined) yield part;
      await nextTurn();
    }
  }
}

/** The same without anything to hand on. */
export async function forSelected(
  program: Program,
  selector: Selector,
  visit: (row: SelectedRow) => void,
): Promise<void> {
  for await (const _ of visitSelected(program, selector, visit, () => undefined));
}
