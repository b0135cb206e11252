// Each value that a log format can name, read from a record. Control thread, hot under many short sessions: one small function
// a value, chosen when the configuration is read. None throws, whatever a row contains.

import { formatHost, sockaddrPort } from "../../base/address.ts";
import type { LogValueName } from "../../config/log-format/variables.ts";
import { CUT_REASON_NAMES } from "../../memory/cut-reason.ts";
import {
  R_BACK_SESSIONS,
  R_FRONT_ADDR,
  R_FRONT_SESSIONS,
  R_PROCESS_CONNECTIONS,
  R_SERVER_ADDR,
  R_SERVER_SESSIONS,
  R_SOURCE_ADDR,
} from "../../memory/record-row.ts";
import * as row from "../../memory/session-row.ts";
import { AF_INET, AF_INET6, AF_UNIX } from "../../sys/constants.ts";
import { AcceptDates, isoPrefix, localDate, millisecondsOf, SecondTexts, threeDigits, utcDate } from "./log-time.ts";
import { proxyName, type RecordView, serverName, stateCharacter, wholeMs } from "./record-view.ts";

/** Empty: there is none. */
export type TextOf = (view: RecordView) => string;
/** NaN: there is none. */
export type NumberOf = (view: RecordView) => number;

export type ValueReader =
  /** `hex`: what the flag X makes of it. */
  | { readonly kind: "text"; readonly read: TextOf; readonly hex?: TextOf }
  /** `hexDigits`: at least so many with the flag X. `plain`: how it is written outside JSON, where that is not just the number. */
  | { readonly kind: "number"; readonly read: NumberOf; readonly hexDigits?: number; readonly plain?: TextOf }
  | { readonly kind: "boolean"; readonly read: NumberOf };

const text = (read: TextOf, hex?: TextOf): ValueReader => ({
  kind: "text",
  read,
  ...(hex === undefined ? {} : { hex }),
});
const number = (read: NumberOf, hexDigits?: number): ValueReader => ({
  kind: "number",
  read,
  ...(hexDigits === undefined ? {} : { hexDigits }),
});
/** An Int32 word of the record. */
const word = (index: number): ValueReader => number((v) => v.words[v.at + index]);
/** A time of the record. */
const ms = (index: number): ValueReader => number((v) => wholeMs(v.f64[v.half + index]));

const accepts = new AcceptDates();
const utcDates = new SecondTexts(utcDate);
const localDates = new SecondTexts(localDate);
const isoDates = new SecondTexts(isoPrefix);

const wallMs = (v: RecordView): number => v.f64[v.half + row.S_ACCEPT_WALL_F64];
const totalMs = (v: RecordView): number =>
  wholeMs(Math.max(0, v.f64[v.half + row.S_END_F64] - v.f64[v.half + row.S_ACCEPT_F64]));

/** From the connection to the end, in the whole ms that the other times show. */
function dataMs(v: RecordView): number {
  const connect = wholeMs(v.f64[v.half + row.S_CONNECT_MS_F64]);
  if (connect < 0) return -1;
  return Math.max(0, totalMs(v) - Math.max(0, wholeMs(v.f64[v.half + row.S_QUEUE_MS_F64])) - connect);
}

const state = (v: RecordView): string =>
  stateCharacter(v.words[v.at + row.S_END_CAUSE]) + stateCharacter(v.words[v.at + row.S_END_PHASE]);

function cause(v: RecordView): string {
  const reason = v.words[v.at + row.S_END_REASON];
  return reason === 0 ? "" : (CUT_REASON_NAMES[reason] ?? `#${reason}`);
}

const isUnix = (v: RecordView, address: number): boolean => (v.words[v.at + address] & 0xffff) === AF_UNIX;
const isInet = (v: RecordView, address: number): boolean => {
  const family = v.words[v.at + address] & 0xffff;
  return family === AF_INET || family === AF_INET6;
};

/** The address of the sockaddr that begins at a word of the record; with X its bytes. */
function host(address: number): ValueReader {
  const plain: TextOf = (v) => formatHost(v.words, v.at + address) ?? (isUnix(v, address) ? "unix" : "");
  return text(plain, (v) => {
    if (!isInet(v, address)) return plain(v);
    const isIpv4 = (v.words[v.at + address] & 0xffff) === AF_INET;
    return isIpv4 ? hexBytes(v, v.at + address + 1, 1) : hexBytes(v, v.at + address + 2, 4);
  });
}

function hexBytes(v: RecordView, from: number, words: number): string {
  let out = "";
  for (let i = from; i < from + words; i++) {
    for (let shift = 0; shift < 32; shift += 8) out += hexOf((v.words[i] >>> shift) & 255, 2);
  }
  return out;
}

/** Upper case, at least so many digits. */
export const hexOf = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, "0");

/** `unix`: the port of a unix socket. */
function port(address: number, unix: NumberOf): ValueReader {
  const read: NumberOf = (v) => {
    if (isInet(v, address)) return sockaddrPort(v.words, v.at + address);
    return isUnix(v, address) ? unix(v) : Number.NaN;
  };
  return number(read, 4);
}

const bindNumber: NumberOf = (v) => v.registry.listenersByIndex[v.words[v.at + row.S_LISTENER]]?.id ?? 0;
const noPort: NumberOf = () => 0;
const nothing = text(() => "");
const zero = number(() => 0);

const backendOf = (v: RecordView): number => {
  const index = v.words[v.at + row.S_BACKEND];
  return index < 0 ? v.words[v.at + row.S_FRONTEND] : index;
};
const frontendName = text((v) => proxyName(v.registry, v.words[v.at + row.S_FRONTEND]));
const proxyId = (v: RecordView, index: number): number => v.registry.proxiesByIndex[index]?.id ?? Number.NaN;
const isRedispatched = (v: RecordView): boolean => (v.words[v.at + row.S_FLAGS] & row.SF_REDISPATCHED) !== 0;
const retries: NumberOf = (v) => v.words[v.at + row.S_RETRIES];

export const VALUE_READERS: Readonly<Record<LogValueName, ValueReader>> = {
  ci: host(row.S_CLIENT_ADDR),
  cp: port(row.S_CLIENT_ADDR, bindNumber),
  fi: host(R_FRONT_ADDR),
  fp: port(R_FRONT_ADDR, bindNumber),
  bi: host(R_SOURCE_ADDR),
  bp: port(R_SOURCE_ADDR, noPort),
  si: host(R_SERVER_ADDR),
  sp: port(R_SERVER_ADDR, noPort),
  f: frontendName,
  ft: frontendName,
  b: text((v) => proxyName(v.registry, backendOf(v))),
  s: text((v) => serverName(v.registry, v.words[v.at + row.S_SERVER])),
  srv_name: text((v) => {
    const index = v.words[v.at + row.S_SERVER];
    return index < 0 ? "" : serverName(v.registry, index);
  }),
  fe_id: number((v) => proxyId(v, v.words[v.at + row.S_FRONTEND])),
  be_id: number((v) => proxyId(v, backendOf(v))),
  srv_id: number((v) => v.registry.serversByIndex[v.words[v.at + row.S_SERVER]]?.id ?? Number.NaN),
  t: text((v) => accepts.text(wallMs(v))),
  T: text((v) => utcDates.text(wallMs(v))),
  Tl: text((v) => localDates.text(wallMs(v))),
  Ts: number((v) => Math.floor(wallMs(v) / 1000), 4),
  ms: {
    kind: "number",
    read: (v) => millisecondsOf(wallMs(v)),
    hexDigits: 2,
    plain: (v) => threeDigits(millisecondsOf(wallMs(v))),
  },
  isodate: text((v) => `${isoDates.text(wallMs(v))}${threeDigits(millisecondsOf(wallMs(v)))}Z`),
  ts: text(state),
  tsc: text((v) => `${state(v)}--`),
  cause: text(cause),
  Tw: ms(row.S_QUEUE_MS_F64),
  Tc: ms(row.S_CONNECT_MS_F64),
  Td: number(dataMs),
  Tt: number(totalMs),
  Tu: number(totalMs),
  Th: zero,
  B: number((v) => v.f64[v.half + row.S_BYTES_DOWN_F64]),
  U: number((v) => v.f64[v.half + row.S_BYTES_UP_F64]),
  ac: word(R_PROCESS_CONNECTIONS),
  fc: word(R_FRONT_SESSIONS),
  bc: word(R_BACK_SESSIONS),
  sc: word(R_SERVER_SESSIONS),
  rc: { kind: "number", read: retries, plain: (v) => (isRedispatched(v) ? `+${retries(v)}` : `${retries(v)}`) },
  conn_retries: number(retries),
  redispatched: { kind: "boolean", read: (v) => (isRedispatched(v) ? 1 : 0) },
  sq: word(row.S_QUEUE_AHEAD_SERVER),
  bq: word(row.S_QUEUE_AHEAD_BACKEND),
  lc: number((v) => v.frontendNumber, 4),
  rt: number((v) => v.number, 4),
  pid: number((v) => v.pid, 4),
  H: text((v) => v.hostname),
  ID: nothing,
  ST: zero,
  sslc: nothing,
  sslv: nothing,
  hr: nothing,
  hrl: nothing,
  hs: nothing,
  hsl: nothing,
};
