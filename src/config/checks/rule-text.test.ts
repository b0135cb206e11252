// Texts of check rules: what is known before the check runs, and the bytes that are sent.
import { describe, expect, it } from "vitest";
import { loadConfigText } from "../load.ts";
import { hexBytes, settleFormat } from "./rule-text.ts";

describe("settleFormat", () => {
  const variables = new Map([["check.word", "leader"]]);

  it.each([
    ["plain", "plain"],
    ["100%%", "100%"],
    ["%[str(a b)]", "a b"],
    ["%[str('a]b')]%[str(\"c\")]", "a]bc"],
    ["%[int(007)]", "7"],
    ["/%[var(check.word)]?%[ int(1) ]", "/leader?1"],
    ["", ""],
  ])("%j is %j", (text, settled) => {
    expect(settleFormat(text, variables)).toEqual({ ok: true, text: settled });
  });

  it.each([
    ["%ci", true, "log-format variable '%ci' is not supported in checks by Headgate"],
    ["%{Q}b", true, "log-format variable '%{Q}b' is not supported in checks by Headgate"],
    ["%[src]", true, "'src' is no constant: Headgate knows str(..), int(..) and var(check...) in checks"],
    [
      "%[str(a),upper]",
      true,
      "'str(a),upper' is no constant: Headgate knows str(..), int(..) and var(check...) in checks",
    ],
    ["%[var(check.other)]", true, "no 'set-var(check.other)' stands before this use of it"],
    ["50%", false, "a '%' of its own is written '%%'"],
    ["%[str(a)", false, "'%[' has no ']'"],
  ])("refuses %j", (text, unsupported, message) => {
    expect(settleFormat(text, variables)).toEqual({ ok: false, unsupported, message });
  });
});

describe("hexBytes", () => {
  it("takes pairs of digits of either case, and nothing else", () => {
    expect(hexBytes("00fFA0")).toEqual(new Uint8Array([0, 255, 160]));
    for (const text of ["", "0", "0g", "0x00", "00 11"]) expect(hexBytes(text)).toBeUndefined();
  });
});

describe("tcp-check send", () => {
  const sent = (written: string): string => {
    const text = `backend b\n option tcp-check\n timeout server 1m\n timeout connect 1s\n tcp-check send ${written}\n server s 127.0.0.1:1 check\n`;
    const { config, diagnostics } = loadConfigText(text, "t.cfg", {});
    const protocol = config?.proxies[0]?.servers[0]?.health?.protocol;
    const step = protocol?.kind === "tcp-check" ? protocol.steps[0] : undefined;
    if (step?.kind !== "send") throw new Error(JSON.stringify(diagnostics));
    return Buffer.from(step.bytes).toString("hex");
  };

  it.each([
    ['"a\\r\\n"', "610d0a"],
    ["é", "c3a9"],
    ['"\\xe9\\x01"', "e901"],
    ["\\xc3\\xa9", "c3a9"],
  ])("%s is the bytes %s", (written, hex) => {
    expect(sent(written)).toBe(hex);
  });
});
