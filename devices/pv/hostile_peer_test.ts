import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { MachineFrame } from "../../core/abi/ids.ts";
import { MachineClock } from "../../core/clock/clock.ts";
import { test } from "../../core/lib/testing.ts";
import { DiskImage, zeroBase } from "../disk/mod.ts";
import { EthernetSwitch } from "../net/mod.ts";
import type { Stepper } from "../work.ts";
import { RingConnection } from "../xenstore/mod.ts";
import { BlockBackEnd } from "./blkback/mod.ts";
import { ConsoleBackEnd } from "./console/mod.ts";
import { NetBackEnd } from "./netback/mod.ts";
import { FRONT, FrontRig } from "./testing/front_rig.ts";
import { type BackEndDriver, XenbusDevice } from "./xenbus_device.ts";

/** What a hostile peer does between two steps of a back end. */
type Attack =
  | { readonly does: "counter"; readonly ring: number; readonly at: number; readonly value: number }
  | {
    readonly does: "bytes";
    readonly ring: number;
    readonly at: number;
    readonly bytes: Uint8Array;
  }
  | { readonly does: "entry"; readonly ref: number; readonly flags: number; readonly frame: number }
  | { readonly does: "advance"; readonly ring: number; readonly by: number }
  | { readonly does: "step" };

/** Numbers near the edges of rings, pages and words. */
const edge = fc.oneof(
  fc.nat(40),
  fc.constantFrom(31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 4095, 4096, 0xffff, 0xffffffff),
  fc.nat(0xffffffff),
);
const attack: fc.Arbitrary<Attack> = fc.oneof(
  fc.record({
    does: fc.constant("counter" as const),
    ring: fc.nat(1),
    at: fc.constantFrom(0, 4, 8, 12, 2048, 2052, 2056, 2060, 3072, 3076, 3080, 3084),
    value: edge,
  }),
  fc.record({
    does: fc.constant("bytes" as const),
    ring: fc.nat(1),
    at: fc.oneof(fc.nat(4000), fc.nat(24).map((slot) => 64 + 12 * slot)),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 96 }),
  }),
  fc.record({
    does: fc.constant("entry" as const),
    ref: fc.nat(40),
    flags: fc.nat(0x1ff),
    frame: fc.oneof(fc.integer({ min: 100, max: 199 }), fc.nat(2000)),
  }),
  fc.record({ does: fc.constant("advance" as const), ring: fc.nat(1), by: fc.nat(40) }),
  fc.constant<Attack>({ does: "step" }),
);

function play(rig: FrontRig, rings: readonly MachineFrame[], device: Stepper, move: Attack): void {
  const { memory } = rig;
  switch (move.does) {
    case "counter":
      return memory.write32(rings[move.ring % rings.length], move.at, move.value);
    case "bytes": {
      const room = 4096 - move.at;
      return memory.writeBytes(
        rings[move.ring % rings.length],
        move.at,
        move.bytes.subarray(0, room),
      );
    }
    case "entry":
      return rig.grantRig.entry(FRONT, move.ref, move.flags, rig.host.domain, move.frame);
    case "advance": {
      const frame = rings[move.ring % rings.length];
      return memory.write32(frame, 0, (memory.read32(frame, 0) + move.by) >>> 0);
    }
    case "step":
      // A step is bounded whatever the peer did: that it returns is the claim.
      device.step();
      return;
  }
}

interface Victim {
  readonly device: Stepper;
  readonly rings: readonly MachineFrame[];
  finish(): void;
}

function plugged(
  rig: FrontRig,
  kind: "vbd" | "vif",
  driver: BackEndDriver,
  nodes: readonly string[],
): Victim {
  const paths = rig.plug(kind, 0);
  const { store, host, wake } = rig;
  const device = new XenbusDevice({ store, domain: host.domain, path: paths.back, driver, wake });
  rig.run(device);
  const rings = nodes.map(() => rig.frame());
  nodes.forEach((name, index) =>
    rig.guest.write(`device/${kind}/0/${name}`, String(rig.grant(rings[index])))
  );
  rig.guest.write(`device/${kind}/0/event-channel`, String(rig.port()));
  rig.guest.write(`device/${kind}/0/request-rx-copy`, "1");
  rig.guest.write(`device/${kind}/0/state`, "4");
  rig.run(device);
  return { device, rings, finish: () => device.destroy() };
}

const VICTIMS: Readonly<Record<string, (rig: FrontRig) => Victim>> = {
  "the block back end": (rig) => {
    const { host, wake } = rig;
    const disk = new DiskImage(zeroBase(1 << 16));
    const driver = new BlockBackEnd({ host, frontDomain: FRONT, name: "vbd", disk, wake });
    return plugged(rig, "vbd", driver, ["ring-ref"]);
  },
  "the network back end": (rig) => {
    const { host, wake } = rig;
    const clock = new MachineClock();
    const bridge = new EthernetSwitch({ name: "br0", clock });
    const port = bridge.attach("vif");
    const driver = new NetBackEnd({ host, frontDomain: FRONT, name: "vif", clock, port, wake });
    const victim = plugged(rig, "vif", driver, ["tx-ring-ref", "rx-ring-ref"]);
    const peer = bridge.attach("peer");
    for (let i = 0; i < 5; i++) peer.send(new Uint8Array(1500).fill(0xff));
    return victim;
  },
  "the store's ring": (rig) => {
    const frame = rig.frame();
    const { memory, guest: session } = rig;
    const device = new RingConnection({ memory, frame, session, notify() {} });
    return { device, rings: [frame], finish() {} };
  },
  "the console": (rig) => {
    const frame = rig.frame();
    const device = new ConsoleBackEnd({
      memory: rig.memory,
      frame,
      output() {},
      notify() {},
    });
    device.send(new Uint8Array(3000));
    return { device, rings: [frame], finish() {} };
  },
};

for (const [name, make] of Object.entries(VICTIMS)) {
  test(`whatever a peer writes into its pages, ${name} comes to rest, and touches no frame but the peer's`, () => {
    fc.assert(
      fc.property(fc.array(attack, { minLength: 1, maxLength: 40 }), (moves) => {
        const rig = new FrontRig();
        const { device, rings, finish } = make(rig);
        const foreign = 250 as MachineFrame;
        rig.memory.bytes(foreign).fill(0x5a);
        for (const move of moves) play(rig, rings, device, move);
        device.step();
        assertEquals(rig.memory.bytes(foreign), new Uint8Array(4096).fill(0x5a));
        finish();
        assertEquals(rig.grantRig.held, []);
        rig.host.grants.audit();
      }),
      { numRuns: 300, seed: 20261121 },
    );
  });
}
