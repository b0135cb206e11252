// The one list of operations: dispatch, `help`, `docs/reference/runtime-api.md` and later the HTTP API derive from it.

import { addServer } from "./add-server.ts";
import { info } from "./answers.ts";
import { clearCounters, clearCountersAll } from "./clear-counters.ts";
import { echo, lowerToOperator, lowerToUser, prompt, quit, setSeverityOutput, setTimeoutCli } from "./connection.ts";
import { delServer } from "./del-server.ts";
import { evictCancel, evictHelp, evictServer, evictSessions, showEvictions } from "./evict.ts";
import { candidates, unknownCommandText, usageLines } from "./find-operation.ts";
import { setMaxconnFrontend, setMaxconnGlobal } from "./frontend-maxconn.ts";
import { disableFrontend, enableFrontend, shutdownFrontend } from "./frontend-state.ts";
import type { Answer, Operation } from "./operation.ts";
import { plan } from "./plan.ts";
import { reload } from "./reload.ts";
import { disableAgent, disableHealth, enableAgent, enableHealth } from "./server-health.ts";
import { setMaxconnServer } from "./server-maxconn.ts";
import { disableServer, enableServer } from "./server-state.ts";
import { getWeight, setWeight } from "./server-weight.ts";
import { setServer } from "./set-server.ts";
import { showInfo } from "./show-info.ts";
import { showBackend, showCliLevel, showCliSockets, showEnv, showVersion } from "./show-process.ts";
import { showResolvers } from "./show-resolvers.ts";
import { showSchemaJson } from "./show-schema.ts";
import { showServersConn, showServersState } from "./show-servers.ts";
import { showSess } from "./show-sess.ts";
import { showStat } from "./show-stat.ts";
import { shutdownSession, shutdownSessions, shutdownSessionsServer } from "./shutdown.ts";
import { wait } from "./wait.ts";

const help: Operation = {
  words: ["help"],
  args: "[<command>]",
  level: "user",
  summary: "list the commands, or those like <command>",
  run: (_, args): Answer => {
    const meant = args.length === 0 ? OPERATIONS : candidates(OPERATIONS, args);
    const shown = meant.length === 0 ? OPERATIONS : meant;
    return info(
      `The following commands are valid at this level:\n${usageLines(shown, ALWAYS_SHOWN)}`.replace(/\n$/, ""),
    );
  },
};

/** Listed in this order behind whatever else is listed. */
const ALWAYS_SHOWN: readonly Operation[] = [help, prompt, quit];

export const OPERATIONS: readonly Operation[] = [
  addServer,
  clearCounters,
  clearCountersAll,
  delServer,
  disableAgent,
  disableFrontend,
  disableHealth,
  disableServer,
  echo,
  enableAgent,
  enableFrontend,
  enableHealth,
  enableServer,
  evictCancel,
  evictHelp,
  evictServer,
  evictSessions,
  getWeight,
  lowerToOperator,
  plan,
  reload,
  setMaxconnFrontend,
  setMaxconnGlobal,
  setMaxconnServer,
  setServer,
  setSeverityOutput,
  setTimeoutCli,
  setWeight,
  showBackend,
  showCliLevel,
  showCliSockets,
  showEnv,
  showEvictions,
  showInfo,
  showResolvers,
  showSchemaJson,
  showServersConn,
  showServersState,
  showSess,
  showStat,
  showVersion,
  shutdownFrontend,
  shutdownSession,
  shutdownSessions,
  shutdownSessionsServer,
  lowerToUser,
  wait,
  help,
  prompt,
  quit,
];

/** The answer to words that name no operation. */
export const unknownCommand = (words: readonly string[]): Answer =>
  info(unknownCommandText(OPERATIONS, ALWAYS_SHOWN, words).replace(/\n$/, ""));
