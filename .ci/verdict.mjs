// Reads vitest's JSON report: prints "N passed, 0 failed", or what was skipped or failed and exits with 1. A skip is a failure here.
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));
const cases = report.testResults.flatMap((file) => file.assertionResults);
const named = (wanted) => cases.filter(({ status }) => wanted(status)).map(({ fullName }) => fullName);
const passed = named((status) => status === "passed");
const failed = named((status) => status === "failed");
const skipped = named((status) => status !== "passed" && status !== "failed");
// A file that could not be loaded has no cases.
const broken = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);

for (const name of skipped) console.log(`skipped: ${name}`);
for (const name of failed) console.log(`failed: ${name}`);
for (const file of broken) console.log(`failed to load: ${file.name}`);
const bad = skipped.length + failed.length + broken.length;
console.log(
  bad === 0
    ? `${passed.length} passed, 0 failed`
    : `${passed.length} passed, ${failed.length + broken.length} failed, ${skipped.length} skipped`,
);
process.exitCode = bad === 0 && passed.length > 0 ? 0 : 1;
