// What a test opened is closed at its end, in reverse order, whatever happened before.

import { afterAll, afterEach } from "vitest";

type Closable = { close(): unknown } | { stop(): unknown };

/** Keeps `thing` until it is closed, and gives it back. */
export type Opened = <T extends Closable>(thing: T) => T;

function closeAt(hook: (close: () => Promise<void>) => void): Opened {
  const things: Closable[] = [];
  hook(async () => {
    for (const thing of things.splice(0).reverse()) await ("stop" in thing ? thing.stop() : thing.close());
  });
  return (thing) => {
    things.push(thing);
    return thing;
  };
}

/** Call once in a test file: what the result is given is closed when the running test is over. */
export const closeAfterEach = (): Opened => closeAt(afterEach);

/** Call in a `describe`: what the result is given is closed after the last test of it. */
export const closeAfterAll = (): Opened => closeAt(afterAll);
