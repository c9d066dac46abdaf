import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { FRAME_BYTES, FrameWatch, MachineMemory } from "../../memory/machine_memory.ts";
import { CodeSharing } from "./code_sharing.ts";

const PAGES = 8;
/** More than a memory of this size needs for its notes. */
const NOTES_BYTES = 64 * 1024;

/** Pages of zeros, and what is told of them. */
class Bench {
  readonly memory = new MachineMemory(new ArrayBuffer(PAGES * FRAME_BYTES + NOTES_BYTES), {
    ramBytes: PAGES * FRAME_BYTES,
    lowRamBytes: PAGES * FRAME_BYTES,
    ramBase: 0,
    romBase: 0,
    romBytes: 0,
    codeLinesBase: PAGES * FRAME_BYTES,
  });
  readonly told: string[] = [];
  isOff = false;
  readonly sharing = new CodeSharing(
    this.memory,
    (page) => this.told.push(`drop ${page}`),
    () => this.isOff,
  );

  constructor() {
    this.sharing.onMove = (page, home) => this.told.push(`${page} to ${home}`);
    this.memory.observe({ beforeStore: (page) => this.sharing.part(page) });
  }

  /** The homes of all pages. */
  get homes(): number[] {
    return Array.from({ length: PAGES }, (_, page) => this.memory.codeHomes.of(page));
  }

  join(...pages: number[]): boolean[] {
    return pages.map((page) => this.sharing.join(page));
  }

  store(page: number, value = 1): void {
    this.memory.write(page * FRAME_BYTES + 77, 1, value);
  }

  takeTold(): string[] {
    return this.told.splice(0);
  }
}

test("the first page that is looked at becomes the home of its equals", () => {
  const bench = new Bench();
  bench.store(3);
  assertEquals(bench.join(1, 2, 3, 4), [false, true, false, true]);
  assertEquals(bench.homes, [0, 1, 1, 3, 1, 5, 6, 7]);
  assertEquals(bench.sharing.members, 2);
  assertEquals(bench.takeTold(), ["drop 2", "2 to 1", "drop 4", "4 to 1"]);
  assertEquals(bench.memory.codeHomes.codeAt(4 * FRAME_BYTES + 5), FRAME_BYTES + 5);
});

test("a store anywhere in a page parts it from its home, whose blocks go", () => {
  const bench = new Bench();
  bench.join(1, 2, 3);
  bench.takeTold();
  bench.store(2);
  assertEquals(bench.takeTold(), ["2 to 2", "drop 1"]);
  assertEquals(bench.homes, [0, 1, 2, 1, 4, 5, 6, 7]);
});

test("a store to the home parts all", () => {
  const bench = new Bench();
  bench.join(1, 2, 3);
  bench.takeTold();
  bench.store(1);
  assertEquals(bench.takeTold(), ["2 to 2", "3 to 3", "drop 1"]);
  assertEquals(bench.homes, [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(bench.memory.codeHomes.isShared(1), false);
});

test("the home stands alone when its last page has left, and is watched no longer than its code asks for", () => {
  const bench = new Bench();
  bench.join(1, 2);
  bench.store(2);
  bench.takeTold();
  assertEquals(bench.memory.codeHomes.isShared(1), false);
  for (let i = 0; i <= 64; i++) bench.store(1, i);
  assertEquals(bench.takeTold(), []);
  assertEquals(bench.memory.watches(1) & FrameWatch.code, 0);
});

test("a page that was parted four times is left alone", () => {
  const bench = new Bench();
  bench.join(1);
  const joined: boolean[] = [];
  for (let i = 0; i < 6; i++) {
    joined.push(...bench.join(2));
    bench.store(2, 1);
    bench.store(2, 0);
  }
  assertEquals(joined, [true, true, true, true, false, false]);
});

test("nothing is shared while somebody wants to stop at code, and all parts at once", () => {
  const bench = new Bench();
  bench.join(1, 2, 3);
  bench.isOff = true;
  bench.sharing.partAll();
  assertEquals(bench.homes, [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(bench.join(1, 2), [false, false]);
});
