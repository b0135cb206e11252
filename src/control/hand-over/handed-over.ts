// Whether another process may have the listening sockets by now: then nothing is done to them that it would feel. Control thread.

let isHandedOver = false;

/** Somebody has fetched the listening sockets. */
export function noteHandedOver(): void {
  isHandedOver = true;
}

/** True while the listening sockets, and the paths of unix sockets, are this process's alone. */
export const isAlone = (): boolean => !isHandedOver;
