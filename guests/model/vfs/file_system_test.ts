import { assertEquals } from "@std/assert";
import { ERRNO } from "../../../core/abi/errno.ts";
import { test } from "../../../core/lib/testing.ts";
import { COMMIT_QUEUE, type FileResult, FileSystem } from "./file_system.ts";
import { GROUP_BLOCKS } from "./limits.ts";
import { SlowDriver, Tally } from "./testing/slow_driver.ts";

/** A file system of four groups; its time is a number. */
class Rig {
  readonly driver = new SlowDriver();
  readonly tally = new Tally();
  readonly woken: string[] = [];
  readonly fs: FileSystem;
  now = 0;

  constructor(cachePages = 1000) {
    this.fs = new FileSystem({
      driver: this.driver,
      blocks: 4 * GROUP_BLOCKS,
      cachePages,
      wake: (queue) => this.woken.push(queue),
    });
  }

  file(path: string, pages = 0): number {
    const inode = this.fs.create(path, "file", this.tally);
    if (pages > 0) this.fs.write(inode, 0, pages * 4096, this.now, this.tally);
    return inode;
  }

  /** The driver finishes all that it has and gets meanwhile. */
  settle(): void {
    for (let next = this.driver.pending.shift(); next; next = this.driver.pending.shift()) {
      this.fs.complete(next.id, this.tally);
    }
  }

  /** Calls again until there is no more to wait for; answers what it waited for, and the result. */
  finish(operation: () => FileResult): [waits: string[], result: number] {
    const waits: string[] = [];
    for (;;) {
      const result = operation();
      if (typeof result === "number") return [waits, result];
      waits.push(result.queue);
      const before = this.woken.length;
      this.settle();
      assertEquals(this.woken.slice(before).includes(result.queue), true, `woken: ${this.woken}`);
    }
  }
}

test("files are found by their paths, and missing ones are not", () => {
  const { fs, tally } = new Rig();
  assertEquals(fs.create("d", "directory", tally) > 0, true);
  const inode = fs.create("/d/f", "file", tally);
  assertEquals(fs.lookup("d/f", tally), inode);
  const errors = [
    fs.lookup("d/g", tally),
    fs.lookup("d/f/g", tally),
    fs.create("d/f", "file", tally),
    fs.create("e/f", "file", tally),
    fs.unlink("d", tally),
    fs.unlink("d/g", tally),
  ];
  const { ENOENT, ENOTDIR, EEXIST, ENOTEMPTY } = ERRNO;
  assertEquals(errors, [ENOENT, ENOTDIR, EEXIST, ENOENT, ENOTEMPTY, ENOENT]);
  assertEquals([fs.rename("d/f", "d/f", tally), fs.lookup("d/f", tally)], [0, inode]);
  assertEquals(fs.rename("d/f", "g", tally), 0);
  assertEquals([fs.lookup("g", tally), fs.lookup("d/f", tally)], [inode, ENOENT]);
});

test("a file's blocks follow each other, and are free again when its last user has closed it", () => {
  const rig = new Rig();
  const { fs, tally } = rig;
  const free = fs.allocator.freeOf(0);
  const inode = rig.file("f", 20);
  const { blocks, pointers } = fs.inodes.get(inode)!;
  assertEquals(blocks.map((block) => block - blocks[0]).slice(0, 12), [...Array(12).keys()]);
  assertEquals(pointers.length, 1);
  fs.open(inode, tally);
  fs.unlink("f", tally);
  assertEquals([fs.lookup("f", tally), fs.allocator.freeOf(0)], [ERRNO.ENOENT, free - 21 - 1]);
  fs.close(inode, tally);
  assertEquals([fs.inodes.get(inode), fs.allocator.freeOf(0)], [undefined, free - 1]);
  assertEquals(fs.cache.size, 0);
});

test("making a file among many compares its name with all of them", () => {
  const rig = new Rig();
  for (let number = 0; number < 10; number++) rig.file(`f${number}`);
  assertEquals([rig.tally.counts.entryScan, rig.tally.counts.inodeCreate], [45, 10]);
});

test("syncing a new file writes data, then the journal, then the record of the commit", () => {
  const rig = new Rig();
  const inode = rig.file("f", 2);
  const [waits] = rig.finish(() => rig.fs.sync(inode, rig.tally));
  assertEquals(waits, [`writes of ${inode}`, COMMIT_QUEUE]);
  const { log } = rig.driver;
  const [data, blocks, record] = log.map((line) => line.split(/[ +]/).slice(1).map(Number));
  assertEquals(log.length, 3);
  assertEquals(data, [rig.fs.inodes.get(inode)!.blocks[0] * 8, 16]);
  assertEquals(record, [blocks[0] + blocks[1], 8]);
});

test("whatever is written, the inode changes with it, and syncing commits that too", () => {
  const rig = new Rig();
  const inode = rig.file("f", 2);
  rig.finish(() => rig.fs.sync(inode, rig.tally));
  const before = rig.driver.log.length;
  rig.fs.write(inode, 0, 8192, rig.now, rig.tally);
  rig.finish(() => rig.fs.sync(inode, rig.tally));
  assertEquals(rig.driver.log.length - before, 3);
  assertEquals(rig.finish(() => rig.fs.sync(inode, rig.tally)), [[], 0]);
});

test("a commit brings to the disk all that was written to any file since the last one", () => {
  const rig = new Rig();
  const { fs, tally, driver } = rig;
  const [table, log] = [rig.file("table", 4), rig.file("log", 1)];
  rig.finish(() => fs.sync(table, tally));
  rig.finish(() => fs.sync(log, tally));
  fs.write(table, 2 * 4096, 4096, rig.now, tally);
  fs.write(log, 0, 4096, rig.now, tally);
  const before = driver.log.length;
  rig.finish(() => fs.sync(log, tally));
  const page = `w ${fs.inodes.get(table)!.blocks[2] * 8}+8`;
  const written = driver.log.slice(before);
  // The log's page, the table's, the journal's blocks, the record.
  assertEquals([written.length, written.indexOf(page)], [4, 1], `${written}`);
  assertEquals(fs.cache.dirtyCount, 0);
});

test("what is cached is read without the disk; what is not is read ahead, ever further", () => {
  const rig = new Rig();
  const inode = rig.file("f", 60);
  rig.finish(() => rig.fs.sync(inode, rig.tally));
  const read = (page: number) =>
    rig.finish(() => rig.fs.read(inode, page * 4096, 4096, rig.tally))[0].length;
  assertEquals(read(0), 0);
  for (const page of rig.fs.cache.pagesOf(inode)) rig.fs.cache.remove(page);
  const before = rig.driver.log.length;
  rig.fs.inodes.get(inode)!.nextIndex = 0;
  rig.fs.inodes.get(inode)!.ahead = 0;
  const waits = Array.from({ length: 60 }, (_, page) => read(page));
  assertEquals(waits.flatMap((count, page) => count > 0 ? [page] : []), [0, 4, 11, 24, 49]);
  const counts = rig.driver.log.slice(before).map((line) => Number(line.split("+")[1]) / 8);
  assertEquals(counts.reduce((sum, each) => sum + each), 60);
});

test("what was there before costs nothing, and is read from memory or from the disk", () => {
  const rig = new Rig();
  const [warm, cold] = [
    rig.fs.place("a/b/warm", 40_000, true),
    rig.fs.place("a/cold", 4096, false),
  ];
  assertEquals(rig.fs.lookup("a/b/warm", rig.tally), warm);
  const waits = [warm, cold].map((inode) =>
    rig.finish(() => rig.fs.read(inode, 0, 4096, rig.tally))[0].length
  );
  assertEquals(waits, [0, 1]);
  assertEquals(rig.finish(() => rig.fs.sync(warm, rig.tally)), [[], 0]);
  assertEquals([rig.tally.counts.journalJoin, rig.driver.log.length], [0, 1]);
});

test("reading stops at the end, and holes need no disk", () => {
  const rig = new Rig();
  const inode = rig.file("f");
  rig.fs.write(inode, 40_960, 100, 0, rig.tally);
  const results = [[0, 4096], [40_960, 4096], [41_060, 1]].map(([offset, bytes]) =>
    rig.fs.read(inode, offset, bytes, rig.tally)
  );
  assertEquals([results, rig.driver.log], [[4096, 100, 0], []]);
});

test("writers wait when too much is dirty, until enough of it has been written", () => {
  const rig = new Rig(100);
  const inode = rig.file("f", 30);
  assertEquals(rig.fs.data.dirtyLevel(), "start");
  rig.fs.write(inode, 30 * 4096, 30 * 4096, 0, rig.tally);
  assertEquals(rig.fs.data.dirtyLevel(), "writersWait");
  const [waits] = rig.finish(() => rig.fs.write(inode, 60 * 4096, 4096, 0, rig.tally));
  assertEquals([waits, rig.fs.data.dirtyLevel()], [["clean pages"], "low"]);
});

test("old pages are written back, young ones are left", () => {
  const rig = new Rig();
  const [old, young] = [rig.file("old", 1), rig.file("young")];
  rig.now = 20;
  rig.fs.write(young, 0, 4096, rig.now, rig.tally);
  assertEquals(rig.fs.data.writeBack(10, rig.tally, 64), 1);
  assertEquals(rig.fs.cache.dirtyPagesOf(old).length, 0);
  assertEquals(rig.fs.cache.dirtyPagesOf(young).length, 1);
});

test("a saved file system ends as the original does", () => {
  const rig = new Rig();
  const inode = rig.file("f", 50);
  rig.fs.sync(inode, rig.tally);
  const other = new Rig();
  other.fs.restore(rig.fs.save());
  other.driver.pending.push(...rig.driver.pending);
  for (const each of [rig, other]) each.finish(() => each.fs.sync(inode, each.tally));
  assertEquals(other.fs.save(), rig.fs.save());
  assertEquals(other.driver.log, rig.driver.log.slice(-other.driver.log.length));
});
