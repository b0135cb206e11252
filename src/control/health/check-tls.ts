// TLS of a check, with Node's own: contexts are made once for each configuration and kept with it, because reading
// certificates each time would cost more than the check.

import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { type ConnectionOptions, checkServerIdentity, connect, createSecureContext, type TLSSocket } from "node:tls";
import type { CheckTls } from "../../config/health-model.ts";

const contexts = new WeakMap<CheckTls, ReturnType<typeof createSecureContext>>();

function contextOf(tls: CheckTls) {
  let context = contexts.get(tls);
  if (context === undefined) {
    const certificate = tls.crtFile === undefined ? undefined : readFileSync(tls.crtFile);
    context = createSecureContext({
      ...(tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile) }),
      // A "crt" file holds the certificate and its key.
      ...(certificate === undefined ? {} : { cert: certificate, key: certificate }),
    });
    contexts.set(tls, context);
  }
  return context;
}

/** Begins the handshake on a connected socket. Throws if a certificate file cannot be read. */
export function startTls(socket: Socket, tls: CheckTls): TLSSocket {
  // HAProxy compares the name only where one is given: verifyhost, or else the name that it asks for.
  const name = tls.verifyHost ?? tls.sni;
  const options: ConnectionOptions = {
    socket,
    secureContext: contextOf(tls),
    rejectUnauthorized: tls.verify,
    checkServerIdentity: (_, certificate) => (name === undefined ? undefined : checkServerIdentity(name, certificate)),
    ...(tls.sni === undefined ? {} : { servername: tls.sni }),
    ...(tls.alpn.length === 0 ? {} : { ALPNProtocols: [...tls.alpn] }),
  };
  return connect(options);
}

/** HAProxy's words for a handshake that failed: only a name that differs is told apart. */
export function handshakeWords(error: { readonly code?: string }): string {
  return error.code === "ERR_TLS_CERT_ALTNAME_INVALID"
    ? "Server presented an SSL certificate different from the configured one"
    : "SSL handshake failure";
}
