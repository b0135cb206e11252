// The demo's picture as lines of text. Pure: what is known goes in, lines come out.

import type { ServerState, ServerView } from "./watch.ts";

export interface DemoPicture {
  readonly version: string;
  readonly threads: number;
  /** "127.0.0.1:17000". */
  readonly entrance: string;
  readonly backend: string;
  readonly clients: number;
  readonly connected: number;
  readonly servers: readonly ServerView[];
  /** Commands to paste, with what each does. */
  readonly commands: readonly (readonly [command: string, meaning: string])[];
  /** Something to know once, e.g. that other ports were taken; "" for nothing. */
  readonly note: string;
  /** Oldest first. */
  readonly events: readonly string[];
}

const BAR_MAX = 30;
const NAME_WIDTH = 10;
/** Lines of events that are shown however small the terminal. */
const EVENTS_MIN = 3;

const paint = (code: number, text: string): string => `\x1b[${code}m${text}\x1b[0m`;
const BOLD = 1;
const DIM = 2;
const STATE_COLOURS: Readonly<Record<ServerState, number>> = { UP: 32, MAINT: 33, DRAIN: 36, DOWN: 31 };

/** 1234567 -> "1.2 MB". */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** The picture for a terminal of this size, with colours. No line is wider than `columns`. */
export function drawPicture(picture: DemoPicture, columns: number, rows: number): string[] {
  const { servers, commands } = picture;
  const title = `Headgate ${picture.version} demo`;
  const facts =
    `${picture.entrance} -> ${picture.backend}   ${picture.connected} of ${picture.clients} clients   ` +
    `${picture.threads} thread${picture.threads === 1 ? "" : "s"}`;
  const lines = [
    ` ${paint(BOLD, title)}${paint(DIM, clip(`   ${facts}`, columns - title.length - 2))}`,
    "",
    paint(
      DIM,
      clip(
        ` ${"server".padEnd(NAME_WIDTH)}${"state".padEnd(7)}${"sessions".padStart(8)}${"bytes/s".padStart(10)}`,
        columns - 1,
      ),
    ),
    ...servers.map((server) => serverLine(server, picture.clients, columns)),
    "",
    ` ${paint(BOLD, "Paste into another terminal, in this folder, line by line:")}`,
  ];
  const longest = Math.max(...commands.map(([command]) => command.length));
  for (const [command, meaning] of commands) {
    const room = columns - 1 - 3 - longest - 2;
    const explained = room >= 16 ? `${" ".repeat(longest - command.length + 2)}${paint(DIM, clip(meaning, room))}` : "";
    // A command is shown whole even if it wraps: half of it cannot be pasted.
    lines.push(`   ${command}${explained}`);
  }
  lines.push("", ` ${paint(BOLD, "What happened")}`);
  const room = Math.max(EVENTS_MIN, rows - lines.length - 3);
  const events = picture.events.slice(-room);
  if (events.length === 0) lines.push(paint(DIM, "   nothing yet"));
  for (const event of events) lines.push(`   ${clip(event, columns - 4)}`);
  lines.push("", paint(DIM, clip(` Ctrl-C ends it.${picture.note === "" ? "" : ` ${picture.note}`}`, columns - 1)));
  return lines;
}

function serverLine(server: ServerView, clients: number, columns: number): string {
  const name = server.name.padEnd(NAME_WIDTH);
  const sessions = String(server.sessions).padStart(8);
  const rate = bytesText(server.bytesPerSecond).padStart(10);
  const room = Math.max(0, Math.min(BAR_MAX, columns - NAME_WIDTH - 7 - 8 - 10 - 4));
  const length = Math.min(room, Math.ceil((server.sessions / Math.max(1, clients)) * room));
  const colour = STATE_COLOURS[server.state];
  return ` ${name}${paint(colour, server.state.padEnd(7))}${sessions}${rate}  ${paint(colour, "█".repeat(length))}`;
}

/** One line for an output that is no terminal. */
export function plainLine(picture: DemoPicture): string {
  return picture.servers
    .map((s) => `${s.name} ${s.state} ${s.sessions} sessions ${bytesText(s.bytesPerSecond)}/s`)
    .join(" | ");
}

const clip = (text: string, width: number): string => (text.length > width ? text.slice(0, Math.max(0, width)) : text);
