// `headgate demo`: three upstreams, the balancer and its clients in one process, and a live view of what an operator's
// commands do to them. Control thread; the balancer's relays are threads of their own, so nothing here holds them up.

import { existsSync } from "node:fs";
import { connect } from "node:net";
import { relative } from "node:path";
import { AppError } from "../../base/errors.ts";
import { renderDiagnostic } from "../../config/diagnostics.ts";
import { loadConfigText } from "../../config/load.ts";
import type { Config } from "../../config/model.ts";
import type { Program } from "../../control/program.ts";
import { DEFAULT_SOCKET } from "../stats-socket-client.ts";
import { DemoClients } from "./clients.ts";
import { addressesOf, type DemoAddresses, demoConfig } from "./demo-config.ts";
import { DemoEvents } from "./events.ts";
import { Screen } from "./screen.ts";
import { DemoUpstream, freePort } from "./upstream.ts";
import { bytesText, type DemoPicture, drawPicture, plainLine } from "./view.ts";
import { DemoWatch } from "./watch.ts";

export interface DemoOptions<S extends { readonly program: Program }> {
  /** Text of examples/quickstart.cfg. */
  readonly exampleConfig: string;
  /** Starts the balancer and its stats socket; rejects with a text for the user. */
  readonly start: (config: Config) => Promise<S>;
  /** Ends it at once: listeners, sessions, stats socket. */
  readonly stop: (service: S) => Promise<void>;
  readonly out: NodeJS.WriteStream;
  /** Ends the demo; default: SIGINT (Ctrl-C), SIGTERM or SIGHUP, or `out` that nobody reads any more. */
  readonly signal?: AbortSignal;
  /** How the user calls the program; default: as this process was called. */
  readonly executable?: string;
}

const CLIENTS = 12;
const VISITORS = 4;
const LOOK_EVERY_MS = 200;
const PLAIN_EVERY_MS = 1000;

/** Runs until it is told to end; resolves to the exit code when everything is stopped and the terminal is as before. */
export async function runDemo<S extends { readonly program: Program }>(options: DemoOptions<S>): Promise<number> {
  const signal = options.signal ?? endSignal(options.out);
  const wanted = addressesOf(options.exampleConfig);
  const backend = /^\s*backend\s+(\S+)/m.exec(options.exampleConfig)?.[1];
  if (wanted === undefined || backend === undefined) throw new Error("the example is not as the demo needs it");
  const upstreams: DemoUpstream[] = [];
  let service: S | undefined;
  try {
    for (const [name, port] of Object.entries(wanted.servers)) upstreams.push(await DemoUpstream.start(name, port));
    const addresses: DemoAddresses = {
      entrance: await freePort(wanted.entrance),
      servers: Object.fromEntries(upstreams.map((upstream) => [upstream.name, upstream.port])),
      socketPath: await freeSocket(wanted.socketPath),
    };
    service = await options.start(loadExample(demoConfig(options.exampleConfig, addresses)));
    const commands = commandsFor(options.executable ?? calledAs(), addresses.socketPath, backend, upstreams[0].name);
    const { program } = service;
    if (!signal.aborted) await show({ out: options.out, signal, program, backend, commands, wanted, addresses });
    return 0;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    process.stderr.write(`headgate: ${error.message}${error.hint === undefined ? "" : `\n  ${error.hint}`}\n`);
    return 1;
  } finally {
    for (const upstream of upstreams) upstream.stop();
    if (service !== undefined) await options.stop(service);
  }
}

interface ShowOptions {
  readonly out: NodeJS.WriteStream;
  readonly signal: AbortSignal;
  readonly program: Program;
  readonly backend: string;
  readonly commands: DemoPicture["commands"];
  readonly wanted: DemoAddresses;
  readonly addresses: DemoAddresses;
}

async function show(options: ShowOptions): Promise<void> {
  const { out, signal, program, backend, commands, wanted, addresses } = options;
  const live = out.isTTY === true;
  const events = new DemoEvents(live ? undefined : (line) => out.write(`${line}\n`));
  const clients = new DemoClients(addresses.entrance, CLIENTS, VISITORS, {
    reconnected: (from, to) => events.reconnected(from, to),
  });
  const watch = new DemoWatch(program, backend);
  const screen = new Screen(out);
  const picture = (): DemoPicture => ({
    version: program.version,
    threads: program.threads,
    entrance: `127.0.0.1:${addresses.entrance}`,
    backend,
    clients: CLIENTS,
    connected: clients.connected,
    servers: watch.last,
    commands,
    note: noteOn(wanted, addresses),
    events: events.lines,
  });
  const draw = (): void => screen.draw(drawPicture(picture(), out.columns ?? 80, out.rows ?? 24));
  const resized = (): void => {
    screen.forget();
    draw();
  };
  if (live) out.on("resize", resized);
  else out.write(introduction(picture()));
  let looks = 0;
  const timer = setInterval(() => {
    for (const change of watch.look()) events.changed(change);
    looks++;
    events.tellMoves();
    if (live) draw();
    else if (looks % (PLAIN_EVERY_MS / LOOK_EVERY_MS) === 0) out.write(`${plainLine(picture())}\n`);
  }, LOOK_EVERY_MS);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  clearInterval(timer);
  out.off("resize", resized);
  clients.stop();
  watch.look();
  screen.close();
  out.write(`The demo is over: ${bytesText(watch.totalBytes)} relayed, ${watch.totalCut} sessions cut by order.\n`);
}

/** The procedure for getting rid of a server, as lines to paste. */
function commandsFor(executable: string, socketPath: string, backend: string, server: string): DemoPicture["commands"] {
  const run = socketPath === DEFAULT_SOCKET ? `${executable} run` : `${executable} run -s ${socketPath}`;
  const name = `${backend}/${server}`;
  return [
    [`${run} "disable server ${name}"`, "no new sessions"],
    [`${run} "shutdown sessions server ${name}"`, "ends the old ones, now"],
    [`${run} "wait 100ms srv-removable ${name}"`, "Done: it is empty"],
    [`${run} "show sess"`, `none is on ${server}`],
    [`${run} "enable server ${name}"`, "back to work"],
  ];
}

function noteOn(wanted: DemoAddresses, addresses: DemoAddresses): string {
  const servers = Object.entries(wanted.servers).filter(([name, port]) => addresses.servers[name] !== port);
  const ports = servers.length + (wanted.entrance === addresses.entrance ? 0 : 1);
  const others: string[] = [];
  if (ports > 0) others.push(ports === 1 ? "a port" : `${ports} ports`);
  if (wanted.socketPath !== addresses.socketPath) others.push(wanted.socketPath);
  return others.length === 0 ? "" : `Taken by others, so replaced here: ${others.join(" and ")}.`;
}

function introduction(picture: DemoPicture): string {
  const commands = picture.commands.map(([command, meaning]) => `  ${command}   # ${meaning}\n`).join("");
  const note = picture.note === "" ? "" : `${picture.note}\n`;
  return (
    `Headgate ${picture.version} demo: ${picture.clients} clients -> ${picture.entrance} -> ${picture.backend}\n` +
    `${note}Paste into another terminal, in this folder, line by line:\n${commands}`
  );
}

/** The path if no living process answers there, else one of our own. A file left behind by a dead one is replaced at bind. */
async function freeSocket(path: string): Promise<string> {
  if (!existsSync(path)) return path;
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect({ path });
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
  return answers ? path.replace(/(\.sock)?$/, `-${process.pid}.sock`) : path;
}

function loadExample(text: string): Config {
  const { config, diagnostics } = loadConfigText(text, "quickstart.cfg", {});
  if (config === undefined) throw new Error(diagnostics.map((d) => renderDiagnostic(d)).join("\n"));
  return config;
}

/** The launcher as it can be called from this folder: whichever of the relative and the absolute path is shorter. */
function calledAs(): string {
  const launcher = process.argv[1];
  const near = relative(process.cwd(), launcher);
  return near.length < launcher.length ? (near.includes("/") ? near : `./${near}`) : launcher;
}

/** Aborted by a signal to the process, and when nobody looks any more. */
function endSignal(out: NodeJS.WriteStream): AbortSignal {
  const controller = new AbortController();
  out.once("error", () => controller.abort());
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => controller.abort());
  return controller.signal;
}
