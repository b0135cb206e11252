import { describe, expect, it } from "vitest";
import { AdminState, OperState } from "../../memory/server-row.ts";
import { readStateRecord, splitStateLine } from "./state-record.ts";

const LINE =
  "2 be 1 s1 192.0.2.9 0 9 7 10 111 8 2 0 6 22 0 0 name.example 8111 _svc._tcp.example 0 81 192.0.2.8 192.0.2.7 82";

function fieldsOf(line: string): readonly string[] {
  const parsed = splitStateLine(line);
  if (parsed === undefined || "fault" in parsed) throw new Error(`no fields in ${line}`);
  return parsed.fields;
}

/** The line with some fields replaced, by their index. */
const changed = (fields: Readonly<Record<number, string>>): readonly string[] =>
  fieldsOf(LINE).map((field, at) => fields[at] ?? field);

const faultsOf = (fields: Readonly<Record<number, string>>): readonly string[] => {
  const read = readStateRecord(changed(fields));
  return "faults" in read ? read.faults : [];
};

describe("splitStateLine", () => {
  it("takes 20 to 25 fields, separated by any blanks", () => {
    expect(fieldsOf(` ${LINE.replaceAll(" ", "  ")}\t`)).toHaveLength(25);
    expect(splitStateLine(LINE.split(" ").slice(0, 20).join(" "))).toHaveProperty("fields");
    expect(splitStateLine(LINE.split(" ").slice(0, 19).join(" "))).toEqual({
      fault: "expected 20 to 25 fields, found 19",
    });
    expect(splitStateLine(`${LINE} more`)).toEqual({ fault: "expected 20 to 25 fields, found 26" });
  });

  it("skips empty lines and comments", () => {
    expect(["", "   ", "# be_id", "  # x"].map(splitStateLine)).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe("readStateRecord", () => {
  it("reads every value", () => {
    expect(readStateRecord(changed({ 6: "1" }))).toEqual({
      record: {
        backendId: 2,
        backend: "be",
        server: "s1",
        host: "192.0.2.9",
        oper: OperState.STOPPED,
        admin: AdminState.FORCED_MAINT,
        fqdnChanged: false,
        weight: 7,
        initialWeight: 10,
        secondsSinceChange: 111,
        checkStatus: "L4CON",
        checkHealth: 0,
        checkState: 6,
        agentState: 22,
        fqdn: "name.example",
        port: 8111,
        service: "_svc._tcp.example",
        checkPort: 81,
        checkHost: "192.0.2.8",
        agentHost: "192.0.2.7",
        agentPort: 82,
      },
    });
  });

  it("forgets what is inherited or of DNS, and remembers that the name was changed", () => {
    const read = readStateRecord(changed({ 6: `${0x02 | 0x10 | 0x20 | 0x40 | 0x04 | 0x01}` }));
    expect(read).toMatchObject({ record: { admin: 0x05, fqdnChanged: true } });
  });

  it("words what is wrong as HAProxy does, all of it", () => {
    expect(faultsOf({ 6: "1", 5: "4", 7: "257", 8: "-1", 9: "x" })).toEqual([
      "invalid srv_op_state value '4'",
      "invalid srv_uweight value '257'",
      "invalid srv_iweight value '-1'",
      "invalid srv_last_time_change value 'x'",
    ]);
    expect(faultsOf({ 6: "9" })).toEqual(["invalid srv_admin_state value '9'"]);
    expect(faultsOf({ 6: "0", 10: "21", 11: "5", 12: "h", 13: "32", 14: "64", 15: "2", 16: "" })).toEqual([
      "invalid srv_check_status value '21'",
      "invalid srv_check_result value '5'",
      "invalid srv_check_health value 'h'",
      "invalid srv_check_state value '32'",
      "invalid srv_agent_state value '64'",
      "invalid bk_f_forced_id value '2'",
      "invalid srv_f_forced_id value ''",
    ]);
    expect(faultsOf({ 6: "0", 17: "no name!", 18: "65536" })).toEqual([
      "invalid srv_fqdn value 'no name!'",
      "invalid srv_port value '65536'",
    ]);
  });

  it("takes a number with something behind it, as C does", () => {
    expect(readStateRecord(changed({ 6: "0", 7: "12abc" }))).toMatchObject({ record: { weight: 12 } });
  });
});
