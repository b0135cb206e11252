// Certificates for the check differential, made anew for each run by openssl(1): an authority that signs itself, and another
// that knows nothing of it.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../harness/temporary-directory.ts";

export interface Certificate {
  readonly path: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface Certificates {
  /** For "checked.example". */
  readonly server: Certificate;
  readonly stranger: Certificate;
  close(): void;
}

/** Undefined where there is no openssl. */
export function makeCertificates(): Certificates | undefined {
  const directory = temporaryDirectory();
  const make = (name: string): Certificate | undefined => {
    const path = join(directory.path, `${name}.pem`);
    const key = join(directory.path, `${name}.key`);
    const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`];
    const run = spawnSync("openssl", [...words, ...subject, "-keyout", key, "-out", path], { stdio: "ignore" });
    return run.status === 0 ? { path, cert: readFileSync(path), key: readFileSync(key) } : undefined;
  };
  const server = make("checked.example");
  const stranger = make("stranger.example");
  if (server !== undefined && stranger !== undefined) return { server, stranger, close: () => directory.close() };
  directory.close();
  return undefined;
}
