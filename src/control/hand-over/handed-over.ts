// Whether another process has the same listening sockets: then nothing is done to them that it would feel, and the paths of unix sockets
// are left where they are. Control thread.

let isShared = false;

/** Somebody has fetched the listening sockets, or they were fetched from somebody. */
export function noteShared(): void {
  isShared = true;
}

/** Who had them too was told to leave. */
export function noteAlone(): void {
  isShared = false;
}

/** True while the listening sockets, and the paths of unix sockets, are this process's alone. */
export const isAlone = (): boolean => !isShared;
