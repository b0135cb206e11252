import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { closeAfterEach } from "../../../test/harness/closing.ts";
import { temporaryDirectory } from "../../../test/harness/temporary-directory.ts";
import { waitFor } from "../../../test/harness/wait-for.ts";
import { InMemoryProgram } from "../../../test/unit/in-memory-program.ts";
import type { Commit } from "../change.ts";
import { isHeld } from "./replace-file.ts";
import { StateFile } from "./state-file.ts";

const opened = closeAfterEach();

/** A file that says what `text` is at the moment, behind a door that it watches. */
async function stage() {
  const directory = opened(temporaryDirectory()).path;
  const path = join(directory, "folder", "state");
  mkdirSync(join(directory, "folder"));
  const program = await InMemoryProgram.start();
  const said: string[] = [];
  const state = { text: "0", built: 0 };
  const file = new StateFile(
    path,
    program.evictions,
    () => {
      state.built++;
      return [state.text];
    },
    (_, text) => said.push(text),
  );
  opened({ close: () => file.close() });
  const commit = file.watch(Object.assign(program.commit, { settled: program.settled }) as Commit);
  const server = program.registry.serversByIndex.find((entry) => entry !== undefined)!;
  const order = (text: string) => {
    state.text = text;
    return commit({ kind: "set-weight", server, weight: 1 });
  };
  const content = (): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
  return { directory, path, file, said, state, order, content };
}

describe("a state file", () => {
  it("is written at the beginning and after orders; many in a row share a write, and the last one is in it", async () => {
    const { file, state, order, content, path } = await stage();
    file.begin();
    await waitFor(() => content() === "0", "the first text");
    const before = state.built;
    for (let i = 1; i <= 2000; i++) await order(String(i));
    await waitFor(() => content() === "2000", "the last text");
    expect(state.built - before).toBeLessThan(1000);
    expect(readdirSync(join(path, ".."))).toEqual(["state"]);
  });

  it("is not written where nothing has changed but time", async () => {
    const { file, state, order, content, path } = await stage();
    const line = (age: number): string => `3 be 1 s1 127.0.0.1 2 0 1 1 ${age} 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n`;
    state.text = line(1);
    file.begin();
    await waitFor(() => content() === line(1), "the first text");
    const built = state.built;
    await order(line(2));
    await waitFor(() => state.built > built, "a look at what there is");
    await order(line(2).replace(" 80 ", " 81 "));
    await waitFor(() => content().includes(" 81 "), "the change");
    expect(readdirSync(join(path, ".."))).toEqual(["state"]);
  });

  it("is not written where the program never began, and nobody ordered anything", async () => {
    const { file, content } = await stage();
    file.noteState();
    await file.close();
    expect(content()).toBe("");
  });

  it("is held while it is open; what killed processes left beside it is removed", async () => {
    const { file, content, path } = await stage();
    const own = basename(path);
    const others = [`${own}.4711.tmp`, `${own}x.4711.tmp`, `${own}.old.tmp`];
    for (const name of others) writeFileSync(join(dirname(path), name), "half");
    expect(isHeld(path)).toBe(false);
    file.begin();
    await waitFor(() => content() === "0", "the first text");
    expect(isHeld(path)).toBe(true);
    expect(readdirSync(dirname(path)).sort()).toEqual([own, ...others.slice(1)].sort());
    await file.close();
    expect(isHeld(path)).toBe(false);
  });

  it("has the last order when it is closed, and no later one", async () => {
    const { file, order, content } = await stage();
    await order("last");
    await file.close();
    expect(content()).toBe("last");
    await order("later");
    await file.close();
    expect(content()).toBe("last");
  });

  it("is left alone at the end if somebody else has written it meanwhile", async () => {
    const { file, order, content, path } = await stage();
    file.begin();
    await waitFor(() => content() === "0", "the first text");
    writeFileSync(`${path}.other`, "of who comes after");
    renameSync(`${path}.other`, path);
    await order("1");
    await file.close();
    expect(content()).toBe("of who comes after");
  });

  it("that cannot be written is said once, and once that it can be again", async () => {
    const { file, order, content, said, directory } = await stage();
    file.begin();
    await waitFor(() => content() === "0", "the first text");
    renameSync(join(directory, "folder"), join(directory, "away"));
    for (let i = 1; i <= 5; i++) {
      await order(String(i));
      await waitFor(() => said.length >= 1, "the message");
    }
    mkdirSync(join(directory, "folder"));
    await order("6");
    await waitFor(() => said.length === 2, "the other message");
    expect(content()).toBe("6");
    expect(said[0]).toMatch(/cannot be written: ENOENT/);
    expect(said[1]).toMatch(/is written again/);
  });
});
