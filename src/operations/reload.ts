// `reload`: the configuration is read anew and put in force, or refused as a whole. The answer is the receipt.

import { receiptText } from "../control/reload/receipt-text.ts";
import { dump, failure, info, warning } from "./answers.ts";
import { jsonText } from "./json-text.ts";
import type { Operation } from "./operation.ts";

export const reload: Operation = {
  words: ["reload"],
  args: "[json]",
  level: "admin",
  summary: "put the configuration files in force as they are now; sessions stay",
  async run({ program }, args) {
    const [form, ...rest] = args;
    if ((form !== undefined && form !== "json") || rest.length > 0) return failure("Expects 'json' or nothing.");
    const receipt = await program.reload("the Runtime API");
    if (form === "json") return dump(jsonText(receipt));
    const text = receiptText(receipt).trimEnd();
    if (receipt.outcome === "refused") return failure(text);
    return receipt.report?.overruled.length === 0 ? info(text) : warning(text);
  },
};
