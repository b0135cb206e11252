// What the program is: version and build, for -v, -vv and `show info`. Control thread, read once.

import { readFileSync, statSync } from "node:fs";
import { arch, release } from "node:os";
import { PROXIES_MAX, SERVERS_MAX, SESSIONS_MAX, THREADS_MAX } from "../base/limits.ts";

// The built program is one file in a folder of its own; under a TypeScript runner this is one of the sources.
const PACKAGE = new URL(import.meta.url.endsWith(".ts") ? "../../package.json" : "../package.json", import.meta.url);

/** Version as in package.json. */
export const VERSION: string = (JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string }).version;

/** Date of the installed files, as HAProxy writes dates of releases: 2026/11/22. */
export const RELEASE_DATE: string = statSync(PACKAGE).mtime.toISOString().slice(0, 10).replaceAll("-", "/");

/** The text of -v, and with `verbose` of -vv. */
export function versionText(verbose: boolean): string {
  const lines = [
    `Headgate version ${VERSION} ${RELEASE_DATE}`,
    "Reads haproxy.cfg (mode tcp) and speaks HAProxy's Runtime API.",
    `Running on: Linux ${release()} ${arch()}, Node.js ${process.versions.node}`,
  ];
  if (verbose) {
    lines.push(
      "",
      "Relay engine : epoll, with splice for streams",
      `Limits       : ${THREADS_MAX} threads, ${SESSIONS_MAX} sessions, ${PROXIES_MAX} proxies, ${SERVERS_MAX} servers`,
      "Balance      : roundrobin (default), leastconn, source, first, random",
      `Libraries    : libuv ${process.versions.uv}, V8 ${process.versions.v8}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
