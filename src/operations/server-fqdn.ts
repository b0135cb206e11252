// `set server <b>/<s> fqdn <name>`: another name is resolved from now on; the address stays until the new name has one.

import type { Change } from "../control/change.ts";
import { fqdnText } from "../control/log/server-messages.ts";
import type { ServerEntry } from "../control/registry.ts";
import { failure, refusalText, warning } from "./answers.ts";
import type { Answer, OperationContext } from "./operation.ts";

/** Longest name in DNS. */
const NAME_MAX = 255;

const UPDATER = "stats socket command";

/** `set server <b>/<s> fqdn`: `fqdn` is the word after it. */
export async function setServerFqdn(
  { program }: OperationContext,
  server: ServerEntry,
  fqdn: string | undefined,
): Promise<Answer> {
  if (fqdn === undefined) return failure("set server <b>/<s> fqdn requires a FQDN.");
  if (server.config.resolution?.resolvers === undefined) {
    return failure("set server <b>/<s> fqdn failed because no resolution is configured.");
  }
  if (server.service !== undefined) {
    return failure("set server <b>/<s> fqdn failed because SRV resolution is configured.");
  }
  const from = server.fqdn;
  if (from === fqdn) return warning(`no need to change the FDQN by '${UPDATER}'`);
  if (!isName(fqdn)) return warning(`invalid fqdn '${fqdn}' by '${UPDATER}'`);
  const change: Change = { kind: "set-fqdn", server, fqdn, by: UPDATER };
  const receipt = await program.commit(change);
  if (!receipt.done) return failure(refusalText(change, receipt.code, receipt.detail));
  return warning(fqdnText(`${server.backend.name}/${server.name}`, from, fqdn, UPDATER));
}

/** Labels of at most 63 characters, none of them empty but for the end. */
function isName(text: string): boolean {
  return text.length <= NAME_MAX && /^([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?$/.test(text);
}
