// One record of the event ring as lines read it, and what every line says in the same words. Control thread. One view is
// moved from record to record: nothing is allocated for a line but its text.

import type { Registry } from "../registry.ts";

/** Where a record stands and what it is to be read with. */
export class RecordView {
  words: Int32Array = new Int32Array(0);
  /** The same memory. */
  f64: Float64Array = new Float64Array(0);
  /** First Int32 word of the record (even), and first Float64 word. */
  at = 0;
  half = 0;
  /** Number of the line among all of the process, and among its frontend's. */
  number = 0;
  frontendNumber = 0;
  readonly registry: Registry;
  readonly pid: number;
  readonly hostname: string;

  constructor(registry: Registry, pid: number, hostname: string) {
    this.registry = registry;
    this.pid = pid;
    this.hostname = hostname;
  }

  move(words: Int32Array, f64: Float64Array, at: number): void {
    this.words = words;
    this.f64 = f64;
    this.at = at;
    this.half = at >> 1;
  }
}

/** Whole ms; -1 (phase not reached) for anything negative or not a number. */
export const wholeMs = (ms: number): number => (ms >= 0 ? Math.round(ms) : -1);

/** Of a proxy's row; "#<row>" if nobody has it any more. */
export function proxyName(registry: Registry, index: number): string {
  return registry.proxiesByIndex[index]?.name ?? `#${index}`;
}

/** Of a server's row, "<NOSRV>" for -1; "#<row>" if nobody has it any more. */
export function serverName(registry: Registry, index: number): string {
  return index < 0 ? "<NOSRV>" : (registry.serversByIndex[index]?.name ?? `#${index}`);
}

/** Only what cannot break a line. */
export const stateCharacter = (code: number): string => (code > 32 && code < 127 ? String.fromCharCode(code) : "?");
