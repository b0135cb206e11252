// What the lines of a frontend need of its relays: a record at accept or at the end, and the addresses in it. Control thread.

import type { LogFormat } from "../../config/log-format/log-format.ts";
import type { ProxyConfig } from "../../config/model.ts";

/** Does each session of this frontend leave its line when it ends, not when it is accepted? */
export const hasLineAtEnd = (config: ProxyConfig): boolean => config.tcplog || config.logFormat !== undefined;

/** Values that only the kernel knows: the relay asks it while the connections are open. */
const OF_THE_KERNEL: ReadonlySet<string> = new Set(["fi", "fp", "bi", "bp", "si", "sp"]);

const asksTheKernel = (format: LogFormat | undefined): boolean =>
  format?.items.some((item) => item.kind === "value" && OF_THE_KERNEL.has(item.of)) ?? false;

/** Do the frontend's lines name an address beside the client's? */
export const namesAddresses = ({ logFormat, logFormatSd }: ProxyConfig): boolean =>
  asksTheKernel(logFormat) || asksTheKernel(logFormatSd);
