// An order to end sessions may have come through one of them: a stats socket that is a server of our own backends. Its sender is told
// while that session still is there, because the answer may not get through any more.

import { carrierOf } from "../control/kernel-answer.ts";
import type { Program } from "../control/program.ts";
import { isSelected, type Selector } from "../memory/selector.ts";
import {
  generationOfSessionId,
  rowOfSessionId,
  S_BYTES_DOWN_F64,
  S_GENERATION,
  S_SERVER,
  SESSION_WORDS,
} from "../memory/session-row.ts";
import type { OperationContext } from "./operation.ts";
import { shownId } from "./session-lines.ts";

/** How long the note to a client whose own session ends may take to get through. */
const NOTE_MOST_MS = 500;
const NOTE_LOOK_MS = 5;

/** Which sessions an order ends: those that are selected, or the one with this id. */
export type Meant = { readonly selector: Selector } | { readonly id: number };

/** Tells it if the order means the session that it came through; `consequence` says what follows, as a clause. */
export async function noteCarrier(
  { program, peer, tell }: OperationContext,
  meant: Meant,
  consequence: string,
  json = false,
): Promise<void> {
  if (peer === undefined || tell === undefined) return;
  const carrier = await carrierOf(program.memory, program.registry, peer);
  if (carrier === undefined || !isMeant(program, carrier, meant)) return;
  const text = `This command came through session ${shownId(carrier)} of ${serverOf(program, carrier)}, which ${consequence}`;
  const note = json ? `${JSON.stringify({ note: text, carrier: shownId(carrier) })}\n` : `${text}\n`;
  const before = bytesDown(program, carrier);
  await tell(note);
  const lastMs = program.nowMs() + NOTE_MOST_MS;
  while (program.nowMs() < lastMs && bytesDown(program, carrier) < before + note.length) {
    await new Promise((resolve) => setTimeout(resolve, NOTE_LOOK_MS));
  }
}

const baseOf = (id: number): number => rowOfSessionId(id) * SESSION_WORDS;

function isMeant(program: Program, carrier: number, meant: Meant): boolean {
  if ("id" in meant) return meant.id === carrier;
  const { sessions, sessionsF64 } = program.memory;
  return isSelected(meant.selector, sessions, sessionsF64, baseOf(carrier), program.nowMs());
}

function serverOf({ memory, registry }: Program, carrier: number): string {
  const server = registry.serversByIndex[memory.sessions[baseOf(carrier) + S_SERVER]];
  return server === undefined ? "no server" : `${server.backend.name}/${server.name}`;
}

/** Bytes that the session's client took; infinite once the session is gone. */
function bytesDown({ memory }: Program, id: number): number {
  if (memory.sessions[baseOf(id) + S_GENERATION] !== generationOfSessionId(id)) return Number.POSITIVE_INFINITY;
  return memory.sessionsF64[baseOf(id) / 2 + S_BYTES_DOWN_F64];
}
