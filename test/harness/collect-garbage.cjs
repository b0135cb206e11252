// Loaded into the program under test before anything else (`NODE_OPTIONS=--require FILE`): on SIGWINCH its main thread collects all garbage
// and says on stderr how many KiB are kept: what is resident, and of the JavaScript heap only what is in use.

"use strict";
const { setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");
const { isMainThread } = require("node:worker_threads");

if (isMainThread) {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  process.on("SIGWINCH", () => {
    for (let i = 0; i < 3; i++) collect();
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    process.stderr.write(`kept: ${Math.round((rss - heapTotal + heapUsed) / 1024)} KiB\n`);
  });
}
