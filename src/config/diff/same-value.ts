// Whether two values of a configuration mean the same: deeply, apart from the places they came from. Pure; any thread.

/** True if both mean the same. A field that is absent equals one that is undefined; fields named `place` do not count. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  }
  if (a instanceof RegExp) return b instanceof RegExp && a.source === b.source && a.flags === b.flags;
  if (a instanceof Uint8Array) {
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, index) => byte === b[index]);
  }
  return sameFields(a as Fields, b as Fields);
}

type Fields = Readonly<Record<string, unknown>>;

function sameFields(a: Fields, b: Fields): boolean {
  for (const key in a) if (key !== "place" && !sameValue(a[key], b[key])) return false;
  for (const key in b) if (key !== "place" && !(key in a) && b[key] !== undefined) return false;
  return true;
}
