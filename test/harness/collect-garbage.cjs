// Loaded into the program under test before anything else (`NODE_OPTIONS=--require FILE`): on SIGWINCH its main thread collects all garbage,
// and says so on stderr. What is resident then is what is kept.

"use strict";
const { setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");
const { isMainThread } = require("node:worker_threads");

if (isMainThread) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  process.on("SIGWINCH", () => {
    for (let i = 0; i < 2; i++) collect();
    process.stderr.write("garbage is collected\n");
  });
}
