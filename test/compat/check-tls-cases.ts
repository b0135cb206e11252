// The part of the check differential that goes over TLS.

import type { CheckProtocol, CheckTls } from "../../src/config/health-model.ts";
import type { CheckCase } from "./check-case.ts";
import type { Certificates } from "./check-certificates.ts";
import type { CheckUpstreamScript } from "./check-upstreams.ts";

const place = { file: "test", line: 1, column: 1 };
const HTTP: CheckProtocol = {
  kind: "http",
  steps: [{ kind: "send", method: "OPTIONS", uri: "/", headers: [], place }],
};

export function tlsCases({ server, stranger }: Certificates): CheckCase[] {
  const secure = (script: CheckUpstreamScript): CheckUpstreamScript => ({
    ...script,
    tls: { cert: server.cert, key: server.key },
  });
  const blind: CheckTls = { verify: false, alpn: [] };
  const one = (
    name: string,
    script: CheckCase["server"],
    words: string,
    tls: CheckTls,
    protocol: CheckProtocol = { kind: "tcp" },
  ): CheckCase => ({
    name: `tls: ${name}`,
    backend: protocol.kind === "http" ? ["option httpchk"] : protocol.kind === "tcp-check" ? ["option tcp-check"] : [],
    words: `check-ssl ${words}`,
    check: { protocol, tls },
    server: script,
  });
  const trusting = (file: string, more = "") => `verify required ca-file ${file}${more}`;
  const trust = (caFile: string, more: Partial<CheckTls> = {}): CheckTls => ({
    verify: true,
    caFile,
    alpn: [],
    ...more,
  });
  return [
    one("a good handshake", secure({}), "verify none", blind),
    one("refused", "refused", "verify none", blind),
    one("silent", {}, "verify none", blind),
    one("closes at once", { end: "close" }, "verify none", blind),
    one("closes after the hello", { answers: [""], end: "close" }, "verify none", blind),
    one("resets", { end: "reset" }, "verify none", blind),
    one("garbage", { answers: ["what is this?\r\n"] }, "verify none", blind),
    one("an authority that is trusted", secure({}), trusting(server.path), trust(server.path)),
    one("an authority that is not", secure({}), trusting(stranger.path), trust(stranger.path)),
    one(
      "the name that is expected",
      secure({}),
      trusting(server.path, " verifyhost checked.example"),
      trust(server.path, { verifyHost: "checked.example" }),
    ),
    one(
      "another name than expected",
      secure({}),
      trusting(server.path, " verifyhost other.example"),
      trust(server.path, { verifyHost: "other.example" }),
    ),
    one("tcp-check, silent", {}, "verify none", blind, { kind: "tcp-check", steps: [] }),
    one("tcp-check, good", secure({}), "verify none", blind, { kind: "tcp-check", steps: [] }),
    one("tcp-check, garbage", { answers: ["what?\r\n"] }, "verify none", blind, { kind: "tcp-check", steps: [] }),
    one("http 200", secure({ answers: ["HTTP/1.0 200 OK\r\n\r\n"], end: "close" }), "verify none", blind, HTTP),
    one("http 503", secure({ answers: ["HTTP/1.0 503 No\r\n\r\n"], end: "close" }), "verify none", blind, HTTP),
    one("http silent", secure({}), "verify none", blind, HTTP),
    one("http closes", secure({ answers: [""], end: "close" }), "verify none", blind, HTTP),
  ];
}
