// Random interleavings with two relay threads.

import { it } from "vitest";
import { checkInterleavings } from "./sim-property.ts";

it("holds every invariant after every step, with two threads", () => checkInterleavings(2, 0.4), 600_000);
