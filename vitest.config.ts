import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Inside the test process alone: a worker takes many of them, since a process of its own costs more than most of them. */
const UNIT = ["src/**/*.test.ts", "test/golden/**/*.test.ts", "test/*.test.ts"];
/** Real databases keep their own deadlines: they run when everything else is done, one file at a time. */
const SYSTEM = "test/system/**/*.test.ts";

/** Two on two cores as well: most tests wait for the program under test, which is a process of its own. */
const WORKERS = Math.max(2, availableParallelism() - 1);

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      reporter: ["text-summary", "html"],
      // A floor somewhat below what there is: whoever adds code without a test inside the process hears of it.
      thresholds: { lines: 78, branches: 70 },
    },
    projects: [
      {
        extends: true,
        test: { name: "unit", include: UNIT, isolate: false, maxWorkers: WORKERS, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: [...UNIT, SYSTEM],
          maxWorkers: WORKERS,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "system", include: [SYSTEM], sequence: { groupOrder: 1 }, fileParallelism: false, maxWorkers: 1 },
      },
    ],
  },
});
