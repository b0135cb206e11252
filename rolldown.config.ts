// The build: the program as two entries, the control thread's and the relay threads', and what both need. Few large files instead
// of hundreds of small ones, because reading and linking modules is most of what a start costs. Types are not looked at here.

import { defineConfig } from "rolldown";

export default defineConfig({
  input: { main: "src/main.ts", worker: "src/dataplane/worker.ts" },
  platform: "node",
  // Carries a native library that it looks for beside itself.
  external: ["koffi"],
  output: { dir: "dist", chunkFileNames: "shared-[hash].js", cleanDir: true },
});
