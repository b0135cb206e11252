// Directories that exist as long as a test.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new empty directory; `close()` removes it with all that is in it. */
export function temporaryDirectory(): { readonly path: string; close(): void } {
  const path = mkdtempSync(join(tmpdir(), "headgate-test-"));
  return { path, close: () => rmSync(path, { recursive: true, force: true }) };
}
