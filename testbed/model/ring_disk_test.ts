import { assertEquals, assertThrows } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import { call, createLinux, exit, type Program } from "../../guests/model/mod.ts";
import { Host } from "../host/host.ts";
import { installFiles } from "./attach_disk.ts";
import { MACHINE_DISK } from "./machine_disk.ts";
import { sharedDisk } from "./ring_disk.ts";
import { SharedDisk } from "./shared_disk.ts";

const HZ = 2_400_000_000;

/** Writes a file of so many bytes, brings it to the disk, and says how many calls came back. */
const writer: Program = {
  name: "writer",
  steps: {
    begin: () => call("open", { path: "f", create: true }, "opened"),
    opened: ({ locals, value }) => {
      locals.fd = value;
      return call("write", { fd: value, bytes: locals.bytes }, "written");
    },
    written: ({ locals, value }) => {
      locals.written = value;
      return call("fsync", { fd: locals.fd }, "synced");
    },
    synced: ({ locals, value }) =>
      call("report", { name: `fsync ${value}`, value: locals.written }, "end"),
    end: () => exit(),
  },
};

async function rig() {
  const host = await Host.boot({
    cpus: 1,
    memory: "64MiB",
    scheduler: "bvt",
    profile: "xeon-2003",
    frequencyHz: HZ,
  });
  const { clock } = host.hardware;
  const shared = new SharedDisk({ ...MACHINE_DISK, clock });
  const create = (name: string, memory = "8MiB") =>
    host.modelled.create({
      name,
      memory,
      kernel(place) {
        const linux = createLinux(place);
        installFiles(linux, sharedDisk(host, place, linux.kernel, shared), place.memoryBytes);
        return linux.kernel;
      },
    });
  return { host, shared, create };
}

Deno.test("two domains write through rings of their own to one disk, and both are billed for it", async () => {
  const { host, shared, create } = await rig();
  const domains = [create("a"), create("b")];
  for (const { kernel } of domains) kernel.spawn(writer, { locals: { bytes: 300_000 } });
  host.dispatcher.advance(2 * HZ as Cycle);
  const reports = domains.map(({ kernel }) =>
    kernel.reports.map(({ name, value }) => [name, value])
  );
  assertEquals(reports, [[["fsync 0", 300_000]], [["fsync 0", 300_000]]]);
  // 74 pages, and at least the journal's descriptor, a block and the record.
  assertEquals(shared.disk.counters.writtenSectors >= 2 * 8 * (74 + 3), true);
  const billed = domains.map(({ domain }) => {
    const counts = new Map(host.ledger.entries(domain.id).map(({ cost, count }) => [cost, count]));
    return [counts.get("requests")! >= 9, counts.get("grantOperations")! >= 2 * 77];
  });
  assertEquals(billed, [[true, true], [true, true]]);
});

Deno.test("a domain that is taken away in the middle of its writes leaves nothing behind", async () => {
  const { host, shared, create } = await rig();
  const before = host.hypervisor.frames.freeFrames;
  for (let times = 0; times < 3; times++) {
    const domain = create("a");
    domain.kernel.spawn(writer, { locals: { bytes: 2_000_000 } });
    host.dispatcher.advance(host.dispatcher.now + 0.01 * HZ as Cycle);
    assertEquals(shared.disk.counters.writtenSectors + shared.disk.cachedBytes > 0, true);
    host.modelled.destroy(domain);
    host.dispatcher.advance(host.dispatcher.now + HZ as Cycle);
    assertEquals(host.hypervisor.frames.freeFrames, before);
  }
});

Deno.test("a domain too small for the pages of a ring gets no disk", async () => {
  const { create } = await rig();
  assertThrows(
    () => create("small", "1MiB"),
    RangeError,
    "small has 256 pages, too few to share 353 of them",
  );
});
