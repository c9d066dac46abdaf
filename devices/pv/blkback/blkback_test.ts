import { assertEquals } from "@std/assert";
import {
  BLKIF_OP,
  BLKIF_REQUEST,
  BLKIF_REQUEST_INDIRECT,
  BLKIF_RESPONSE,
  BLKIF_SEGMENT,
} from "../../../core/abi/io/blkif.ts";
import type { GrantReference } from "../../../core/abi/ids.ts";
import type { DataModel } from "../../../core/abi/struct_layout.ts";
import { GTF } from "../../../core/abi/grant_table.ts";
import { test } from "../../../core/lib/testing.ts";
import { DiskImage, memoryBase } from "../../disk/mod.ts";
import { FRONT, FrontRig, FrontRing } from "../testing/front_rig.ts";
import { XenbusDevice } from "../xenbus_device.ts";
import { BlockBackEnd, type BlockBackEndOptions } from "./blkback.ts";

const DISK_BYTES = 64 * 1024;
const pattern = Uint8Array.from({ length: DISK_BYTES }, (_, index) => (index * 7) & 0xff);

interface Choices extends Partial<Pick<BlockBackEndOptions, "readonly" | "indirectSegments">> {
  readonly model?: DataModel;
}

/** A disk of 64 KiB, plugged in; `connect` plays xen-blkfront. */
function rig(choices: Choices = {}) {
  const front = new FrontRig();
  const { model = "lp64", ...options } = choices;
  const paths = front.plug("vbd", 51712);
  const disk = new DiskImage(memoryBase(pattern));
  const driver = new BlockBackEnd({
    host: front.host,
    frontDomain: FRONT,
    name: "blkback.1.51712",
    disk,
    wake: front.wake,
    ...options,
  });
  const { store, wake } = front;
  let unplugged = 0;
  const device = new XenbusDevice({
    store,
    domain: front.host.domain,
    path: paths.back,
    driver,
    wake,
    onUnplugged: () => unplugged++,
  });
  const ringFrame = front.frame();
  const ring = new FrontRing(front.memory, ringFrame, 32, BLKIF_REQUEST.sizeBytes(model));
  const port = front.port();
  const connect = () => {
    front.run(device);
    const protocol = model === "lp64" ? "x86_64-abi" : "x86_32-abi";
    const nodes = { "ring-ref": front.grant(ringFrame), "event-channel": port, protocol };
    for (const [name, value] of Object.entries(nodes)) {
      front.guest.write(`device/vbd/51712/${name}`, String(value));
    }
    front.guest.write("device/vbd/51712/state", "3");
    front.run(device);
    front.guest.write("device/vbd/51712/state", "4");
    front.run(device);
  };
  /** Sends requests; answers the statuses by id. */
  const ask = (...requests: Uint8Array[]) => {
    if (ring.push(...requests)) front.host.events.send(FRONT, port);
    front.run(device);
    return ring.take().map((bytes) => {
      const { id, status } = BLKIF_RESPONSE.read(bytes, 0, model);
      return [Number(id), status];
    });
  };
  const node = (name: string) => front.tools.readText(`${paths.back}/${name}`);
  return {
    unplugged: () => unplugged,
    front,
    paths,
    disk,
    driver,
    device,
    ring,
    ringFrame,
    port,
    model,
    connect,
    ask,
    node,
  };
}

type Seg = [ref: GrantReference, first: number, last: number];
const segs = (list: Seg[]) =>
  list.map(([gref, first_sect, last_sect]) => ({ gref, first_sect, last_sect }));

function request(
  operation: number,
  id: number,
  sector: number,
  list: Seg[],
  model: DataModel = "lp64",
) {
  return BLKIF_REQUEST.toBytes({
    operation,
    nr_segments: list.length,
    id: BigInt(id),
    sector_number: BigInt(sector),
    seg: segs(list),
  }, model);
}

test("the handshake is that of Linux's front end", () => {
  const { connect, node, front, device, paths, driver } = rig();
  assertEquals([node("state"), node("feature-flush-cache"), node("feature-persistent")], [
    "2",
    "1",
    "0",
  ]);
  assertEquals([node("feature-max-indirect-segments"), node("sectors")], ["32", null]);
  connect();
  assertEquals([node("state"), node("sectors"), node("sector-size"), node("info")], [
    "4",
    "128",
    "512",
    "0",
  ]);
  assertEquals(front.grantRig.held.length, 1);
  front.guest.write("device/vbd/51712/state", "5");
  front.run(device);
  assertEquals([node("state"), front.grantRig.held], ["5", []]);
  front.guest.write("device/vbd/51712/state", "6");
  front.run(device);
  assertEquals(node("state"), "6");
  front.guest.write("device/vbd/51712/state", "1");
  front.run(device);
  assertEquals(node("state"), "2");
  connect();
  assertEquals(node("state"), "4");
  device.destroy();
  assertEquals([node("state"), front.grantRig.held, driver.step().more], ["6", [], false]);
  assertEquals(paths.back, "/local/domain/0/backend/vbd/1/51712");
});

test("tools that write 0 to online make the front end close, and are told when it has", () => {
  const { connect, node, front, device, paths, unplugged } = rig();
  connect();
  front.tools.write(`${paths.back}/online`, "0");
  front.run(device);
  assertEquals([node("state"), front.grantRig.held, unplugged()], ["5", [], 0]);
  front.guest.write("device/vbd/51712/state", "6");
  front.run(device);
  assertEquals([node("state"), unplugged()], ["6", 1]);
});

for (const model of ["lp64", "ilp32"] as const) {
  test(`reads and writes move sectors between pages and disk, in the ${model} layout`, () => {
    const { connect, ask, front, disk, driver } = rig({ model });
    connect();
    const [first, second] = [front.frame(), front.frame()];
    const list: Seg[] = [[front.grant(first), 2, 7], [front.grant(second), 0, 0]];
    assertEquals(ask(request(BLKIF_OP.READ, 77, 10, list, model)), [[77, 0]]);
    assertEquals(front.memory.bytes(first, 1024), pattern.slice(5120, 5120 + 3072));
    assertEquals(front.memory.bytes(second, 0, 512), pattern.slice(8192, 8704));
    front.memory.bytes(second).fill(0xee);
    assertEquals(ask(request(BLKIF_OP.WRITE, 78, 0, list, model)), [[78, 0]]);
    const into = new Uint8Array(512);
    disk.read(3072, into);
    assertEquals(into, new Uint8Array(512).fill(0xee));
    const { reads, writes, readBytes, writtenBytes } = driver.counters;
    assertEquals([reads, writes, readBytes, writtenBytes], [1, 1, 3584, 3584]);
  });
}

test("an indirect request finds its segments in pages of their own", () => {
  const { connect, ask, front, model } = rig();
  connect();
  const pages = Array.from({ length: 12 }, () => front.frame());
  const list = front.frame();
  pages.forEach((page, index) =>
    BLKIF_SEGMENT.write(
      front.memory.bytes(list),
      { gref: front.grant(page), first_sect: 0, last_sect: 7 },
      8 * index,
    )
  );
  const entry = BLKIF_REQUEST_INDIRECT.toBytes({
    operation: BLKIF_OP.INDIRECT,
    indirect_op: BLKIF_OP.READ,
    nr_segments: 12,
    id: 5n,
    sector_number: 8n,
    indirect_grefs: [front.grant(list, GTF.readonly)],
  }, model);
  assertEquals(ask(entry), [[5, 0]]);
  assertEquals(front.memory.bytes(pages[11]), pattern.slice(4096 * 12, 4096 * 13));
});

test("flushes, barriers and what is not supported are answered so", () => {
  const { connect, ask, driver } = rig();
  connect();
  const statuses = ask(
    request(BLKIF_OP.FLUSH_DISKCACHE, 1, 0, []),
    request(BLKIF_OP.WRITE_BARRIER, 2, 0, []),
    request(BLKIF_OP.DISCARD, 3, 0, []),
    request(99, 4, 0, []),
  );
  assertEquals(statuses, [[1, 0], [2, 0], [3, -2], [4, -2]]);
  assertEquals([driver.counters.flushes, driver.counters.failed], [2, 2]);
});

test("requests that cannot be right are errors, and the next one is served", () => {
  const { connect, ask, front } = rig();
  connect();
  const page = front.grant(front.frame());
  const readOnly = front.grant(front.frame(), GTF.readonly);
  const bad: [sector: number, list: Seg[], operation?: number][] = [
    [0, []],
    [0, [[page, 5, 4]]],
    [0, [[page, 0, 8]]],
    [121, [[page, 0, 7]]],
    [2 ** 53, [[page, 0, 0]]],
    [0, [[400 as GrantReference, 0, 0]]],
    [0, [[readOnly, 0, 0]]],
  ];
  const requests = bad.map(([sector, list], id) => request(BLKIF_OP.READ, id, sector, list));
  const tooMany = request(BLKIF_OP.READ, 7, 0, [[page, 0, 0]]);
  tooMany[1] = 12;
  const good = request(BLKIF_OP.READ, 8, 120, [[page, 0, 7]]);
  assertEquals(ask(...requests, tooMany, good), [
    ...[0, 1, 2, 3, 4, 5, 6, 7].map((id) => [id, -1]),
    [8, 0],
  ]);
});

test("a read-only disk refuses writes and says what it is", () => {
  const { connect, ask, node, front } = rig({ readonly: true });
  connect();
  const page = front.grant(front.frame());
  assertEquals(node("info"), "4");
  assertEquals(ask(request(BLKIF_OP.WRITE, 1, 0, [[page, 0, 0]])), [[1, -1]]);
  assertEquals(ask(request(BLKIF_OP.READ, 2, 0, [[page, 0, 0]])), [[2, 0]]);
});

test("a front end whose nodes are missing or wrong gets a closing back end, not a connection", () => {
  const cases: Record<string, string>[] = [
    {},
    { "ring-ref": "8" },
    { "ring-ref": "8", "event-channel": "99" },
    { "ring-ref": "511", "event-channel": "1" },
    { "ring-ref": "x", "event-channel": "1" },
    { "ring-ref": "8", "event-channel": "1", protocol: "arm-abi" },
  ];
  for (const nodes of cases) {
    const { front, device, node, ringFrame } = rig();
    front.grant(ringFrame);
    for (const [name, value] of Object.entries(nodes)) {
      front.guest.write(`device/vbd/51712/${name}`, value);
    }
    front.guest.write("device/vbd/51712/state", "3");
    front.run(device);
    assertEquals([node("state"), front.grantRig.held, node("error") !== null], ["5", [], true]);
  }
});

test("a counter that cannot be true stops the ring, and nothing else", () => {
  const { connect, ring, ringFrame, front, device, node } = rig();
  connect();
  front.memory.write32(ringFrame, 0, 33);
  assertEquals(front.run(device), {});
  assertEquals([node("state"), ring.take()], ["4", []]);
});

test("a step serves sixteen requests, and says that there is more", () => {
  const { connect, ring, device } = rig();
  connect();
  ring.push(...Array.from({ length: 32 }, (_, id) => request(BLKIF_OP.FLUSH_DISKCACHE, id, 0, [])));
  const { done, more } = device.step();
  assertEquals([done.requests, more, ring.take().length], [16, true, 16]);
});

test("a snapshot keeps the connection and the ring's counters", () => {
  const { connect, ask, front, device, driver, disk, ring, port } = rig();
  connect();
  const page = front.grant(front.frame());
  ask(request(BLKIF_OP.READ, 1, 0, [[page, 0, 7]]));
  const record = device.save();
  driver.dispose();
  const options = { host: front.host, frontDomain: FRONT, name: "blkback.1.51712", disk };
  const other = new BlockBackEnd({ ...options, wake: front.wake });
  other.restore(record.state.driver as unknown as ReturnType<BlockBackEnd["save"]>);
  assertEquals(other.save(), driver.save());
  if (ring.push(request(BLKIF_OP.READ, 2, 0, [[page, 0, 7]]))) front.host.events.send(FRONT, port);
  other.step();
  assertEquals(ring.take().length, 1);
  assertEquals(other.counters.reads, 2);
});
