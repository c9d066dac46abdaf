import { assertEquals, assertThrows } from "@std/assert";
import type { MachineFrame } from "../../../core/abi/ids.ts";
import { test } from "../../../core/lib/testing.ts";
import { SparseFrames } from "../../../core/hypervisor/testing/sparse_frames.ts";
import { ByteRing } from "../../rings/byte_ring.ts";
import { ConsoleBackEnd } from "./console_back_end.ts";

const FRAME = 7 as MachineFrame;

/** A console, and a guest that writes and reads its page. */
function rig(memory = new SparseFrames()) {
  const heard: number[] = [];
  let events = 0;
  const hvc = new ConsoleBackEnd({
    memory,
    frame: FRAME,
    output: (bytes) => heard.push(...bytes),
    notify: () => events++,
  });
  const toHost = { buffer: 1024, sizeBytes: 2048, consumer: 3080, producer: 3084 };
  const toGuest = { buffer: 0, sizeBytes: 1024, consumer: 3072, producer: 3076 };
  return {
    memory,
    hvc,
    heard,
    write: (bytes: Uint8Array) => new ByteRing(memory, FRAME, toHost).write(bytes),
    read: () => [...new ByteRing(memory, FRAME, toGuest).read(1024)],
    events: () => events,
  };
}

const bytes = (count: number, first = 0) =>
  Uint8Array.from({ length: count }, (_, index) => (first + index) & 0xff);

test("output of any length arrives in order, around the buffer's end", () => {
  const { hvc, heard, write } = rig();
  const sent: number[] = [];
  for (const count of [1500, 1500, 2048, 1]) {
    const each = bytes(count, sent.length);
    assertEquals(write(each), count);
    sent.push(...each);
    assertEquals(hvc.step(), { done: { copiedBytes: count, events: 1 }, more: false });
  }
  assertEquals(heard, sent);
  assertEquals(hvc.step(), { done: {}, more: false });
});

test("input waits until the guest has room", () => {
  const { hvc, read } = rig();
  hvc.send(bytes(1000));
  hvc.send(bytes(500, 1000));
  assertEquals(hvc.step().done.copiedBytes, 1024);
  assertEquals(read(), [...bytes(1024)]);
  assertEquals(hvc.step().done.copiedBytes, 476);
  assertEquals(read(), [...bytes(476, 1024)]);
});

test("a guest that never reads is told apart from one that does", () => {
  const { hvc } = rig();
  hvc.send(bytes(65536));
  assertThrows(() => hvc.send(bytes(1)), RangeError, "65537 bytes");
});

test("impossible counters move nothing", () => {
  const { hvc, memory, heard, events } = rig();
  memory.write32(FRAME, 3084, 2049);
  memory.write32(FRAME, 3072, 5);
  hvc.send(bytes(4));
  assertEquals(hvc.step(), { done: {}, more: false });
  assertEquals([heard, events()], [[], 0]);
});

test("a snapshot keeps the input that waits", () => {
  const one = rig();
  one.hvc.send(bytes(1500));
  one.hvc.step();
  const two = rig(one.memory);
  two.hvc.restore(one.hvc.save());
  two.read();
  two.hvc.step();
  assertEquals(two.read(), [...bytes(476, 1024)]);
});
