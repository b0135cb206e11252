// What the files of the configuration know from before the start, and the file that is written from then on. Control thread, at start.

import { isAbsolute, relative, resolve } from "node:path";
import type { Config, GlobalConfig } from "../../config/model.ts";
import { readServerStates } from "./haproxy-files.ts";
import { ownStateParts, type StateSource, type Writing } from "./own-format.ts";
import type { StartState } from "./restore-state.ts";
import { type FileSay, readStateFile, StateFile } from "./state-file.ts";

export interface StateAtStart extends StartState {
  /** Where changes are written from now on, by the name that it has once the process has its root directory; undefined: nowhere. */
  readonly writeTo: string | undefined;
}

/**
 * Reads all of them; what is wrong with one is said, and stops nothing. `version`: of this program; `takesOver`: from a process that
 * may be running still.
 */
export function readStartState(config: Config, version: string, takesOver: boolean, say: FileSay): StateAtStart {
  const { stateFile } = config.global;
  const { own, isWritable } =
    stateFile === undefined ? { isWritable: false } : readStateFile(stateFile, takesOver, say);
  const servers = readServerStates(config, say);
  const isWritten = stateFile !== undefined && isWritable;
  return { servers, own, version, writeTo: isWritten ? writtenPath(config.global, stateFile, say) : undefined };
}

/** The file's name in the root directory that the process will have. */
function writtenPath({ chroot }: GlobalConfig, path: string, say: FileSay): string | undefined {
  if (chroot === undefined) return resolve(path);
  const inside = relative(resolve(chroot), resolve(path));
  if (!isAbsolute(inside) && !inside.startsWith("..")) return `/${inside}`;
  say(
    "WARNING",
    `state file '${path}' is outside of 'chroot ${chroot}', so it is read but not written: choose a file inside.`,
  );
  return undefined;
}

/** The file that is written while the program runs, where there is one. */
export function stateFileOf(
  { writeTo, own, version }: StateAtStart,
  source: Omit<StateSource, "version">,
  say: FileSay,
): StateFile | undefined {
  if (writeTo === undefined) return undefined;
  const parts = (writing: Writing): Iterable<string> => ownStateParts({ ...source, version }, writing);
  const file = new StateFile(writeTo, source.evictions, parts, say);
  for (const { record, configuredAddress } of own?.servers ?? []) {
    if (configuredAddress !== undefined) file.expectAddress(record.backend, record.server, record.host);
  }
  return file;
}
