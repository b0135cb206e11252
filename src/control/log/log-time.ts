// Dates as log lines write them, in local time. Control thread. Formatting a date costs more than the rest of a line, so each
// second is formatted once and remembered.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const pad2 = (n: number): string => (n < 10 ? `0${n}` : `${n}`);
const pad3 = (n: number): string => (n < 10 ? `00${n}` : n < 100 ? `0${n}` : `${n}`);
const clockOf = (d: Date): string => `${pad2(d.getHours())}:${pad2(d.getMinutes())}:${pad2(d.getSeconds())}`;

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
    const east = -d.getTimezoneOffset();
    const off = Math.abs(east);
    this.isoZone = `${east < 0 ? "-" : "+"}${pad2(Math.floor(off / 60))}:${pad2(off % 60)}`;
  }
}
