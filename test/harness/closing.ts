// What a test opened is closed at its end, in reverse order, whatever happened before.

import { afterEach } from "vitest";

type Closable = { close(): unknown } | { stop(): unknown };

/** Call once in a test file; `opened(x)` keeps x until the running test is over and gives it back. */
export function closeAfterEach(): <T extends Closable>(thing: T) => T {
  const things: Closable[] = [];
  afterEach(async () => {
    for (const thing of things.splice(0).reverse()) await ("stop" in thing ? thing.stop() : thing.close());
  });
  return (thing) => {
    things.push(thing);
    return thing;
  };
}
