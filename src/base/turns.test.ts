import { describe, expect, it } from "vitest";
import { runThrough, type Steps, Turns } from "./turns.ts";

function* count(to: number, seen: number[]): Steps<string> {
  for (let i = 0; i < to; i++) {
    seen.push(i);
    yield;
  }
  return "done";
}

/** Goes on until something else of the event loop had its turn. */
function* until(isOver: () => boolean): Steps<void> {
  while (!isOver()) yield;
}

describe("work in steps", () => {
  it("runs through at once", () => {
    const seen: number[] = [];
    expect(runThrough(count(3, seen))).toBe("done");
    expect(seen).toEqual([0, 1, 2]);
  });

  it("gives the same in slices", async () => {
    const seen: number[] = [];
    expect(await new Turns().run(count(3, seen))).toBe("done");
    expect(seen).toEqual([0, 1, 2]);
  });

  it("lets timers and others have their turn in between", async () => {
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 0);
    await new Turns().run(until(() => fired));
    expect(fired).toBe(true);
  });

  it("throws what the steps throw", async () => {
    function* failing(): Steps<void> {
      yield;
      throw new Error("no");
    }
    await expect(new Turns().run(failing())).rejects.toThrow("no");
    expect(() => runThrough(failing())).toThrow("no");
  });
});
