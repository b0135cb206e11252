// Random interleavings with one relay thread.

import { it } from "vitest";
import { checkInterleavings } from "./sim-property.ts";

it("holds every invariant after every step, with one thread", () => checkInterleavings(1, 0.35), 600_000);
