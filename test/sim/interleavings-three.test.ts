// Random interleavings with three relay threads.

import { it } from "vitest";
import { checkInterleavings } from "./sim-property.ts";

it("holds every invariant after every step, with three threads", () => checkInterleavings(3, 0.25), 600_000);
