// The layout of one record in a thread's event ring: a copy of the session's row as it ended, and what the log line needs
// of the world at that moment.

import { SESSION_WORDS } from "./session-row.ts";

/** Int32 words of a record: the row, then these. */
export const RECORD_WORDS = SESSION_WORDS + 32;
export const R_KIND = SESSION_WORDS;
export const R_PROCESS_CONNECTIONS = SESSION_WORDS + 2;
export const R_FRONT_SESSIONS = SESSION_WORDS + 3;
export const R_BACK_SESSIONS = SESSION_WORDS + 4;
export const R_SERVER_SESSIONS = SESSION_WORDS + 5;
/**
 * For frontends with PF_RECORD_ADDRESSES, and at accept as far as they exist by then: the address that the client dialled, ours on the connection to the server, and the
 * server's. Each a sockaddr of ADDRESS_WORDS words (of a unix socket the family alone counts); family 0: there is none.
 */
export const R_FRONT_ADDR = SESSION_WORDS + 8;
export const R_SOURCE_ADDR = SESSION_WORDS + 15;
export const R_SERVER_ADDR = SESSION_WORDS + 22;
export const ADDRESS_WORDS = 7;

export const RecordKind = { ENDED: 1, ACCEPTED: 2 } as const;
