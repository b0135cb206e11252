// Which sockets another process may have by now: their paths are left where they are when this one ends. Control thread.

let isHandedOver = false;

/** Somebody has fetched the listening sockets. */
export function noteHandedOver(): void {
  isHandedOver = true;
}

/** True if the path of a unix socket is this process's alone, and goes with it. */
export const ownsItsPaths = (): boolean => !isHandedOver;
