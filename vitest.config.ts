import { defineConfig } from "vitest/config";

/** Real databases keep their own deadlines: they run when everything else is done, one file at a time. */
const SYSTEM = "test/system/**/*.test.ts";

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: { provider: "v8", include: ["src/**/*.ts"], reporter: ["text-summary", "html"] },
    projects: [
      {
        extends: true,
        test: {
          name: "tests",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [SYSTEM],
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
