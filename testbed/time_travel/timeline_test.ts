import { assert, assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import type { SnapshotRecord } from "../../core/lib/snapshot.ts";
import { FRAME_BYTES } from "../../core/memory/machine_memory.ts";
import { smallMemory } from "../../core/memory/testing/small_memory.ts";
import { Timeline, type TimelineParts } from "./timeline.ts";

const FRAMES = 64;
const EVERY = 100;

/** A machine without a CPU: time and memory only. */
class Box implements TimelineParts {
  readonly clock = { reached: 0 as Cycle };
  readonly memory = smallMemory(FRAMES);
  readonly state = {
    saveParts: () => ({ now: this.clock.reached as number }),
    restoreParts: ({ now }: SnapshotRecord["state"]) => void (this.clock.reached = now as Cycle),
  };

  readonly processors = { cpus: [{ index: 0 }], cycleOf: () => 0, firstEnd: 0 };

  restored(): void {}
}

/** Lets a box live for `steps` checkpoints, with a store to each of 8 frames between two. */
function live(budgetBytes: number, steps: number): { box: Box; timeline: Timeline } {
  const box = new Box();
  const timeline = new Timeline(box, budgetBytes, EVERY);
  for (let step = 0; step < steps; step++) {
    timeline.tick();
    for (let i = 0; i < 8; i++) {
      box.memory.write(((step + i) % FRAMES) * FRAME_BYTES, 4, step + 1);
    }
    box.clock.reached = (box.clock.reached + EVERY) as Cycle;
  }
  return { box, timeline };
}

Deno.test("automatic checkpoints stay within their memory, the first one and the recent ones among them", () => {
  const budget = 4 * 1024 * 1024;
  const { box, timeline } = live(budget, 200);
  assert(timeline.keptBytes <= budget);
  const cycles = timeline.checkpoints.map(({ cycle }) => cycle as number);
  assert(cycles.length > 15, `${cycles}`);
  assertEquals([cycles[0], ...cycles.slice(-3)], [0, 19_700, 19_800, 19_900]);
  for (let i = 2; i < cycles.length; i++) {
    const ago = box.clock.reached - cycles[i - 1];
    assert(cycles[i] - cycles[i - 1] <= Math.max(EVERY, ago / 2), `${cycles} at ${i}`);
  }
});

Deno.test("each checkpoint that is left has the memory of its instant", () => {
  const { box, timeline } = live(4 * 1024 * 1024, 100);
  for (const checkpoint of timeline.checkpoints) {
    timeline.goTo(checkpoint);
    const step = checkpoint.cycle / EVERY;
    assertEquals(box.clock.reached, checkpoint.cycle);
    assertEquals(
      box.memory.read(((step + 7) % FRAMES) * FRAME_BYTES, 4),
      Math.max(0, step - FRAMES + 8),
    );
    if (step > 0) {
      assertEquals(box.memory.read(((step - 1) % FRAMES) * FRAME_BYTES, 4), step);
    }
  }
});

Deno.test("without memory for them no checkpoint is taken", () => {
  assertEquals(live(0, 10).timeline.checkpoints, []);
});
