import { assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { DK32EJ, PERC_3_DI, RaidController, ScsiDisk } from "../../devices/scsi/mod.ts";
import {
  call,
  Descriptors,
  exit,
  flatPlatform,
  Kernel,
  type Program,
} from "../../guests/model/mod.ts";
import { AdapterDriver, Files, GROUP_BLOCKS } from "../../guests/model/vfs/mod.ts";
import { BareBox } from "./bare_box.ts";

const HZ = 2_400_000_000;
const SECOND = HZ as Cycle;

function box(withController = false) {
  let files: Files;
  let disk: ScsiDisk | RaidController;
  const bare = new BareBox({
    cpus: 1,
    frequencyHz: HZ,
    kernel: (machine, clock) => {
      const prices = { work: 1, copiedBytes: 0.6, systemCall: 700, interrupt: 2000 };
      const kernel = new Kernel({
        name: "test",
        machine,
        platform: flatPlatform("simple", false, prices),
      });
      const driver: AdapterDriver = new AdapterDriver(kernel, {
        get room() {
          return disk.room;
        },
        submit: (command) => disk.submit(command),
      });
      const parts = {
        clock,
        name: "sda",
        model: DK32EJ,
        completed: ({ tag }: { readonly tag: number }) => driver.completed(tag),
      };
      disk = withController
        ? new RaidController({ ...parts, controller: PERC_3_DI })
        : new ScsiDisk(parts);
      const descriptors = new Descriptors(kernel);
      kernel.install(descriptors);
      files = new Files(kernel, descriptors, {
        driver,
        blocks: 8 * GROUP_BLOCKS,
        cachePages: 2000,
      });
      kernel.install(files);
      return kernel;
    },
  });
  return { ...bare, bare, kernel: bare.kernel, files: files!, disk: disk! };
}

/** Writes a page `rounds` times and syncs it each time; reports how long that took. */
const logger: Program = {
  name: "logger",
  steps: {
    begin: () => call("open", { path: "log", create: true }, "opened"),
    opened: ({ locals, value, now }) => {
      locals.fd = value;
      locals.left = locals.rounds;
      locals.begun = now;
      return call("lseek", { fd: value, position: 0 }, "write");
    },
    seek: ({ locals, now }) => {
      locals.left = (locals.left as number) - 1;
      if (locals.left === 0) {
        return call("report", { name: "cycles", value: now - (locals.begun as number) }, "end");
      }
      return call("lseek", { fd: locals.fd, position: 0 }, "write");
    },
    write: ({ locals }) => call("write", { fd: locals.fd, bytes: 8192 }, "sync"),
    sync: ({ locals }) => call("fsync", { fd: locals.fd }, "seek"),
    end: () => exit(),
  },
};

/** Makes `count` files of `pages` pages, reads them and deletes them. */
const maker: Program = {
  name: "maker",
  steps: {
    begin: ({ locals }) => {
      locals.number = 0;
      return call("open", { path: "f0", create: true }, "write");
    },
    write: ({ locals, value }) => {
      locals.fd = value;
      return call("write", { fd: value, bytes: (locals.pages as number) * 4096 }, "rewind");
    },
    rewind: ({ locals }) => call("lseek", { fd: locals.fd, position: 0 }, "read"),
    read: ({ locals }) =>
      call("read", { fd: locals.fd, bytes: (locals.pages as number) * 4096 }, "close"),
    close: ({ locals, value }) => {
      locals.read = ((locals.read ?? 0) as number) + value;
      return call("close", { fd: locals.fd }, "next");
    },
    next: ({ locals }) => {
      const number = locals.number = (locals.number as number) + 1;
      if (number < (locals.count as number)) {
        return call("open", { path: `f${number}`, create: true }, "write");
      }
      return call("report", { name: "read", value: locals.read }, "delete");
    },
    delete: ({ locals }) => {
      const number = locals.number = (locals.number as number) - 1;
      return call("unlink", { path: `f${number}` }, number > 0 ? "delete" : "end");
    },
    end: () => exit(),
  },
};

Deno.test("a log that is synced after each page waits for its data, the journal and the record of the commit", () => {
  const { kernel, bare } = box();
  kernel.spawn(logger, { locals: { rounds: 100 } });
  bare.advance(2 * SECOND as Cycle);
  const cycles = kernel.reports[0].value as number;
  assertEquals(Math.round(cycles / HZ * 1000 / 5.985), 238);
});

Deno.test("with a controller's write cache it takes a fraction of that", () => {
  const { kernel, bare } = box(true);
  kernel.spawn(logger, { locals: { rounds: 100 } });
  bare.advance(SECOND);
  const perRound = kernel.reports[0].value as number / HZ * 1e6 / 100;
  assertEquals(perRound > 330 && perRound < 370, true, `${perRound} us`);
});

Deno.test("files are made, read and deleted, and nothing of them is left but on the disk", () => {
  const { kernel, bare, files, disk } = box();
  const before = files.fs.allocator.freeOf(0);
  kernel.spawn(maker, { locals: { count: 200, pages: 5 } });
  bare.advance(30 * SECOND as Cycle);
  assertEquals(kernel.reports.map(({ value }) => value), [200 * 5 * 4096]);
  assertEquals(kernel.processes.size, 0);
  assertEquals([files.fs.cache.size, files.fs.layer.outstanding], [0, 0]);
  assertEquals(before - files.fs.allocator.freeOf(0) <= 2, true);
  assertEquals(disk.counters.reads, 0);
});

Deno.test("more than the cache holds is written and read through the disk, and memory stays bounded", () => {
  const { kernel, bare, files, disk } = box();
  kernel.spawn(maker, { locals: { count: 1, pages: 8000 } });
  bare.advance(60 * SECOND as Cycle);
  assertEquals(kernel.reports.map(({ value }) => value), [8000 * 4096]);
  assertEquals(files.fs.cache.size <= 2000, true);
  assertEquals(disk.counters.readSectors >= 6000 * 8, true);
});

Deno.test("a box saved in the middle of its disk's work ends as the one that went on", () => {
  const run = (saves: boolean) => {
    let { kernel, bare, files, disk } = box();
    kernel.spawn(logger, { locals: { rounds: 20 } });
    kernel.spawn(maker, { locals: { count: 50, pages: 30 } });
    bare.advance(SECOND / 20 as Cycle);
    if (saves) {
      const records = [bare.clock.save(), kernel.save(), bare.dispatcher.save(), disk.save()];
      ({ kernel, bare, files, disk } = box());
      for (const program of [logger, maker]) kernel.programs.add(program);
      bare.clock.restore(records[0]);
      kernel.restore(records[1]);
      bare.dispatcher.restore(records[2]);
      disk.restore(records[3]);
    }
    bare.advance(3 * SECOND as Cycle);
    return {
      reports: kernel.reports,
      counts: [...kernel.counts],
      disk: disk.save(),
      fs: files.save(),
    };
  };
  assertEquals(run(true), run(false));
});
