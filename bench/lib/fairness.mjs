// How the sessions of a balancer are spread over its threads, seen from outside: by the kernel's epoll interest lists,
// one for each thread, or by a field of `show sess`.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { connect } from "node:net";

const ANSWER_PATIENCE_MS = 10_000;

/**
 * Sessions that each epoll instance watches, largest first: established connections on the local port `port`.
 * @param {number[]} pids of the balancer @param {number} port where clients connect @returns {number[]}
 */
export function sessionsByEpoll(pids, port) {
  const established = establishedInodes(readFileSync("/proc/net/tcp", "utf8"), port);
  return pids
    .flatMap((pid) => {
      const links = descriptors(pid);
      const isSession = (fd) => established.has(/^socket:\[(\d+)\]$/.exec(links.get(fd) ?? "")?.[1]);
      const epolls = [...links.keys()].filter((fd) => links.get(fd) === "anon_inode:[eventpoll]");
      return epolls.map((fd) => watchedBy(pid, fd).filter(isSession).length);
    })
    .filter((sessions) => sessions > 0)
    .sort((a, b) => b - a);
}

/** What the descriptors of a process refer to. @returns {Map<string, string>} */
function descriptors(pid) {
  const links = new Map();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      links.set(fd, readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch (error) {
      if (error.code !== "ENOENT") throw error; // closed meanwhile
    }
  }
  return links;
}

function watchedBy(pid, epoll) {
  const text = readFileSync(`/proc/${pid}/fdinfo/${epoll}`, "utf8");
  return [...text.matchAll(/^tfd:\s*(\d+)/gm)].map(([, fd]) => fd);
}

/** Inodes of the established sockets with this local port. @param {string} table as in /proc/net/tcp @returns {Set<string>} */
export function establishedInodes(table, port) {
  const local = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/));
  return new Set(rows.filter((row) => row[1]?.endsWith(local) && row[3] === "01").map((row) => row[9]));
}

/** Sessions of frontend `f` for each value of `field` in `show sess`. @param {string} text @param {string} field */
export function sessionsByField(text, field) {
  const counts = new Map();
  for (const line of text.split("\n")) {
    if (!line.includes(" fe=f ")) continue;
    const value = line.split(" ").find((word) => word.startsWith(`${field}=`)) ?? "(no such field)";
    counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts.values()].sort((a, b) => b - a);
}

/** One Runtime API command. @param {string} path of the stats socket @returns {Promise<string>} */
export function command(path, line) {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(path);
    socket.setTimeout(ANSWER_PATIENCE_MS, () => socket.destroy(new Error(`no answer to ${line}`)));
    socket.on("connect", () => socket.write(`${line}\n`));
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
}
