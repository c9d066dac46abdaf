import { assertEquals } from "@std/assert";
import { drawInTurn, leaveTurns } from "./frame_turns.ts";

/** Has frames come only when the test says so, and rests end at once. */
function frames() {
  const asked: FrameRequestCallback[] = [];
  const rests: (() => void)[] = [];
  const { requestAnimationFrame, setTimeout } = globalThis;
  globalThis.requestAnimationFrame = (callback) => asked.push(callback);
  globalThis.setTimeout = ((end: () => void) => rests.push(end)) as typeof setTimeout;
  return {
    asked,
    next() {
      asked.splice(0).forEach((callback) => callback(0));
      rests.splice(0).forEach((end) => end());
    },
    [Symbol.dispose]() {
      Object.assign(globalThis, { requestAnimationFrame, setTimeout });
    },
  };
}

Deno.test("each frame has one that draws, in their order, and only the latest that it wanted", () => {
  using page = frames();
  const { asked, next } = page;
  const drawn: string[] = [];
  const [a, b, c] = [{}, {}, {}];
  drawInTurn(a, () => drawn.push("a, out of date"));
  drawInTurn(b, () => drawn.push("b"));
  drawInTurn(c, () => drawn.push("c, gone"));
  drawInTurn(a, () => drawn.push("a"));
  leaveTurns(c);
  assertEquals(asked.length, 1);
  next();
  assertEquals(drawn, ["a"]);
  next();
  assertEquals(drawn, ["a", "b"]);
  assertEquals(asked.length, 0);
  drawInTurn(a, () => drawn.push("a again"));
  next();
  assertEquals(drawn, ["a", "b", "a again"]);
});

Deno.test("nobody waits for a frame when all have left", () => {
  using page = frames();
  const { asked, next } = page;
  const owner = {};
  drawInTurn(owner, () => {
    throw new Error("drawn");
  });
  leaveTurns(owner);
  next();
  assertEquals(asked.length, 0);
});
