// Dates as log lines write them, in local time. Control thread. Formatting a date costs more than the rest of a line, so each
// second is formatted once and remembered.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const pad2 = (n: number): string => (n < 10 ? `0${n}` : `${n}`);
const pad3 = (n: number): string => (n < 10 ? `00${n}` : n < 100 ? `0${n}` : `${n}`);
const clockOf = (d: Date): string => `${pad2(d.getHours())}:${pad2(d.getMinutes())}:${pad2(d.getSeconds())}`;
const utcClockOf = (d: Date): string =>
  `${pad2(d.getUTCHours())}:${pad2(d.getUTCMinutes())}:${pad2(d.getUTCSeconds())}`;

/** Seconds remembered by AcceptDates, a power of two. Sessions end in any order, so one second would not be enough. */
const REMEMBERED_SECONDS = 256;

/** `22/Nov/2026:15:33:11.817`, the accept date of a traffic log line. */
export class AcceptDates {
  private readonly seconds = new Float64Array(REMEMBERED_SECONDS).fill(Number.NaN);
  private readonly prefixes = new Array<string>(REMEMBERED_SECONDS).fill("");

  /** `wallMs`: milliseconds since 1970. */
  text(wallMs: number): string {
    const second = Math.floor(wallMs / 1000);
    const slot = second & (REMEMBERED_SECONDS - 1);
    if (this.seconds[slot] !== second) {
      const d = new Date(second * 1000);
      this.prefixes[slot] = `${pad2(d.getDate())}/${MONTHS[d.getMonth()]}/${d.getFullYear()}:${clockOf(d)}.`;
      this.seconds[slot] = second;
    }
    return this.prefixes[slot] + pad3(Math.floor(wallMs - second * 1000));
  }
}

/** Any text about a second, remembered like that. */
export class SecondTexts {
  private readonly seconds = new Float64Array(REMEMBERED_SECONDS).fill(Number.NaN);
  private readonly texts = new Array<string>(REMEMBERED_SECONDS).fill("");
  private readonly render: (date: Date) => string;

  constructor(render: (date: Date) => string) {
    this.render = render;
  }

  /** Of the second in which `wallMs` is. */
  text(wallMs: number): string {
    const second = Math.floor(wallMs / 1000);
    const slot = second & (REMEMBERED_SECONDS - 1);
    if (this.seconds[slot] !== second) {
      this.texts[slot] = this.render(new Date(second * 1000));
      this.seconds[slot] = second;
    }
    return this.texts[slot];
  }
}

/** `22/Nov/2026:18:26:40 +0000`, in UTC. */
export const utcDate = (d: Date): string =>
  `${pad2(d.getUTCDate())}/${MONTHS[d.getUTCMonth()]}/${d.getUTCFullYear()}:${utcClockOf(d)} +0000`;

/** `22/Nov/2026:19:26:40 +0100`, in local time. */
export const localDate = (d: Date): string =>
  `${pad2(d.getDate())}/${MONTHS[d.getMonth()]}/${d.getFullYear()}:${clockOf(d)} ${zoneOf(d, "")}`;

/** `2026-11-22T18:26:40.`, in UTC: milliseconds and `Z` follow. */
export const isoPrefix = (d: Date): string =>
  `${d.getUTCFullYear()}-${pad2(d.getUTCMonth() + 1)}-${pad2(d.getUTCDate())}T${utcClockOf(d)}.`;

/** The milliseconds of a time, three digits. */
export const millisecondsOf = (wallMs: number): number => Math.floor(wallMs - Math.floor(wallMs / 1000) * 1000);
export const threeDigits = pad3;

/** How far local time is from UTC: `+0100`, or with a colon between hours and minutes. */
function zoneOf(d: Date, colon: string): string {
  const east = -d.getTimezoneOffset();
  const off = Math.abs(east);
  return `${east < 0 ? "-" : "+"}${pad2(Math.floor(off / 60))}${colon}${pad2(off % 60)}`;
}

/** The two dates that syslog headers use, for the second that runs. */
export class HeaderDates {
  private second = Number.NaN;
  private short = "";
  private isoPrefix = "";
  private isoZone = "";

  /** `Nov 22 15:45:44`, the day padded with a space. */
  syslog(wallMs: number): string {
    this.renew(wallMs);
    return this.short;
  }

  /** `2026-11-22T15:45:46.997000+00:00`: six digits as HAProxy's, of which the last three are zeros. */
  iso(wallMs: number): string {
    this.renew(wallMs);
    return `${this.isoPrefix}${pad3(Math.floor(wallMs - this.second * 1000))}000${this.isoZone}`;
  }

  private renew(wallMs: number): void {
    const second = Math.floor(wallMs / 1000);
    if (second === this.second) return;
    const d = new Date(second * 1000);
    const day = d.getDate();
    this.second = second;
    this.short = `${MONTHS[d.getMonth()]} ${day < 10 ? ` ${day}` : day} ${clockOf(d)}`;
    this.isoPrefix = `${d.getFullYear()}-${pad2(d.getMonth() + 1)}-${pad2(day)}T${clockOf(d)}.`;
    this.isoZone = zoneOf(d, ":");
  }
}
