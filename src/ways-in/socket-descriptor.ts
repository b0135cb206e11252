// The descriptors of Node's sockets, for which it has no public name. Control thread.

/** The descriptor of a socket or server that is open; -1 otherwise. */
export function descriptorOf(socket: object): number {
  const { _handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
  return _handle?.fd ?? -1;
}
