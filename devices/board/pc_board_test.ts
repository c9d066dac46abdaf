import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { physical } from "../../core/lib/brand.ts";
import { test } from "../../core/lib/testing.ts";
import { IoSpace } from "../../core/memory/io_space.ts";
import { MachineMemory } from "../../core/memory/machine_memory.ts";
import { DiskImage, memoryBase, zeroBase } from "../disk/mod.ts";
import { hpetFrequencyHz } from "../hpet/mod.ts";
import { IOAPIC_BASE } from "../ioapic/mod.ts";
import { EthernetSwitch } from "../net/mod.ts";
import { type BoardOptions, PcBoard } from "./mod.ts";

const MIB = 1 << 20;
const RAM_BYTES = 4 * MIB;
const ROM_BYTES = MIB;
const CODE_LINES_BYTES = 0x10_0000;
const SERIAL = { com1: 0x3f8, com2: 0x2f8 };

/** A board with everything plugged in, on a machine without CPUs that writes down what it is told. */
class Bench {
  readonly clock = new MachineClock();
  readonly ports = new IoSpace();
  readonly memory = new MachineMemory(new ArrayBuffer(ROM_BYTES + RAM_BYTES + CODE_LINES_BYTES), {
    ramBytes: RAM_BYTES,
    lowRamBytes: RAM_BYTES,
    romBase: 0,
    romBytes: ROM_BYTES,
    ramBase: ROM_BYTES,
    codeLinesBase: ROM_BYTES + RAM_BYTES,
  });
  readonly log: string[] = [];
  /** Vectors that the I/O APIC sent. */
  readonly messages: number[] = [];
  readonly board: PcBoard;

  constructor(options: Partial<BoardOptions> = {}) {
    const lan = new EthernetSwitch({ name: "lan0", clock: this.clock });
    this.board = new PcBoard({
      clock: this.clock,
      ports: this.ports,
      memory: this.memory,
      messages: { sendMessage: (_address, data) => this.messages.push(data & 0xff) },
      onInterrupt: (high) => this.log.push(high ? "INTR" : "intr"),
      onNmi: (high) => this.log.push(high ? "NMI" : "nmi"),
      power: {
        powerOff: () => this.log.push("power off"),
        reset: () => this.log.push("reset"),
        exit: (code) => this.log.push(`exit ${code}`),
      },
      onA20: (open) => this.log.push(open ? "A20" : "a20"),
      options: {
        firmware: "none",
        apicIds: [0, 1],
        ramBytes: RAM_BYTES,
        lowRamBytes: RAM_BYTES,
        com1: (byte) => this.log.push(`com1 ${String.fromCharCode(byte)}`),
        com2: (byte) => this.log.push(`com2 ${String.fromCharCode(byte)}`),
        disks: [new DiskImage(zeroBase(MIB))],
        cdrom: memoryBase(new Uint8Array(64 * 1024)),
        nic: { mac: "52:54:00:12:34:56", port: lan.attach("card") },
        ...options,
      },
    });
  }

  /** Writes bytes to ports in order. */
  out(...writes: readonly (readonly [port: number, value: number])[]): void {
    for (const [port, value] of writes) this.ports.write(port, 1, value);
  }

  /** Programs both 8259s for vectors 20h to 2Fh, nothing masked. */
  startPic(): void {
    for (const [chip, vector, cascade] of [[0x20, 0x20, 4], [0xa0, 0x28, 2]]) {
      this.out([chip, 0x11], [chip + 1, vector], [chip + 1, cascade], [chip + 1, 1], [chip + 1, 0]);
    }
  }

  /** Programs I/O APIC pin `pin` for vector 40h + pin at CPU 0. */
  routePin(pin: number, level = false): void {
    const write = (register: number, value: number) => {
      this.memory.write(IOAPIC_BASE, 4, register);
      this.memory.write(IOAPIC_BASE + 0x10, 4, value);
    };
    write(0x11 + 2 * pin, 0);
    write(0x10 + 2 * pin, (0x40 + pin) | (level ? 0x8000 : 0));
  }

  /** Reads a configuration register of a PCI function. */
  config(slot: number, func: number, offset: number): number {
    this.ports.write(0xcf8, 4, 0x8000_0000 + slot * 0x800 + func * 0x100 + offset);
    return this.ports.read(0xcfc, 4);
  }

  /** Moves time on by `ns` nanoseconds, firing what is due on the way. */
  advance(ns: number): void {
    const end = this.clock.now + ns;
    while (this.clock.nextDeadline <= end) {
      this.clock.advanceTo(this.clock.nextDeadline as Cycle);
      this.clock.runDue();
    }
    this.clock.advanceTo(end as Cycle);
  }

  /** The vectors that the 8259s hand out now, each ended at once. */
  picVectors(): number[] {
    const vectors: number[] = [];
    while (this.board.pic.interrupt && vectors.length < 16) {
      vectors.push(this.board.pic.acknowledge());
      this.out([0xa0, 0x20], [0x20, 0x20]);
    }
    return vectors;
  }
}

/** The card's registers after {@link PcBoard.prepareDirectBoot}, and two of them. */
const cardBase = (bench: Bench) => (bench.config(3, 0, 0x10) & ~0xf) >>> 0;
const ICS = 0xc8;
const IMS = 0xd0;
const IMC = 0xd8;

const INTERRUPTS: [name: string, irq: number, raise: (bench: Bench) => void][] = [
  ["The 8254", 0, (bench) => {
    bench.out([0x43, 0x34], [0x40, 0xa9], [0x40, 0x04]);
    bench.advance(1_500_000);
  }],
  ["A key", 1, (bench) => {
    bench.out([0x64, 0x60], [0x60, 0x41]);
    bench.board.keyboard.keyboard.key("KeyA", true);
  }],
  ["COM2", 3, (bench) => bench.out([SERIAL.com2 + 4, 8], [SERIAL.com2 + 1, 2])],
  ["COM1", 4, (bench) => bench.out([SERIAL.com1 + 4, 8], [SERIAL.com1 + 1, 2])],
  ["The RTC", 8, (bench) => {
    bench.out([0x70, 0x0b], [0x71, 0x42]);
    bench.advance(1_500_000);
  }],
  ["The power button", 9, (bench) => {
    bench.out([0xb2, 0xf1], [0x603, 1]);
    bench.board.acpi.pressPowerButton();
  }],
  ["The network card", 11, (bench) => {
    bench.memory.write(cardBase(bench) + IMS, 4, 1);
    bench.memory.write(cardBase(bench) + ICS, 4, 1);
  }],
  ["The first IDE channel", 14, (bench) => {
    bench.out([0x1f6, 0xa0], [0x1f7, 0xec]);
    bench.advance(1_000_000);
  }],
  ["The second IDE channel", 15, (bench) => {
    bench.out([0x176, 0xa0], [0x177, 0xa1]);
    bench.advance(1_000_000);
  }],
];

for (const [name, irq, raise] of INTERRUPTS) {
  test(`${name} raises IRQ ${irq} at the 8259s and at the I/O APIC`, () => {
    const bench = new Bench();
    bench.board.prepareDirectBoot();
    bench.startPic();
    const pin = irq === 0 ? 2 : irq;
    const level = [9, 11].includes(irq);
    for (let input = 0; input < 24; input++) bench.routePin(input, level);
    raise(bench);
    assertEquals(bench.board.pic.interrupt, true);
    assertEquals(bench.board.pic.acknowledge(), 0x20 + irq);
    assertEquals(bench.messages[0], 0x40 + pin);
    assertEquals(new Set(bench.messages).size, 1);
  });
}

test("SCI and a PCI function share a wire: it falls when both are served", () => {
  const bench = new Bench();
  bench.board.prepareDirectBoot();
  bench.startPic();
  // PIRQC, the card's, to IRQ 9.
  bench.config(1, 0, 0x60);
  bench.ports.write(0xcfe, 1, 9);
  bench.out([0xb2, 0xf1], [0x603, 1]);
  bench.board.acpi.pressPowerButton();
  bench.memory.write(cardBase(bench) + IMS, 4, 1);
  bench.memory.write(cardBase(bench) + ICS, 4, 1);
  bench.out([0x601, 1]);
  assertEquals(bench.board.pic.interrupt, true, "the card still asks");
  bench.memory.write(cardBase(bench) + IMC, 4, 1);
  assertEquals(bench.board.pic.interrupt, false);
});

test("The HPET takes IRQ 0 from the 8254", () => {
  const bench = new Bench();
  bench.startPic();
  const hpet = (offset: number, value: number) =>
    bench.memory.write(0xfed0_0000 + offset, 4, value);
  hpet(0x100, 0x4);
  hpet(0x108, hpetFrequencyHz / 1000);
  hpet(0x10c, 0);
  hpet(0x010, 3);
  bench.out([0x43, 0x34], [0x40, 0xff], [0x40, 0x00]);
  bench.advance(900_000);
  assertEquals(bench.picVectors(), [], "the 8254 has been cut off");
  bench.advance(200_000);
  assertEquals(bench.picVectors(), [0x20]);
});

test("The HPET's third timer interrupts at an I/O APIC input of its own, and has no FSB interrupts", () => {
  const bench = new Bench();
  const at = (offset: number) => 0xfed0_0000 + offset;
  assertEquals(bench.memory.read(at(0x140), 4) & 0x8000, 0, "Tn_FSB_INT_DEL_CAP");
  assertEquals(bench.memory.read(at(0x144), 4), 0xf0_0000, "Tn_INT_ROUTE_CAP");
  bench.memory.write(at(0x140), 4, (20 << 9) | 4);
  bench.memory.write(at(0x148), 4, hpetFrequencyHz / 1000);
  bench.memory.write(at(0x14c), 4, 0);
  bench.routePin(20);
  bench.memory.write(at(0x010), 4, 1);
  bench.advance(900_000);
  assertEquals(bench.messages, []);
  bench.advance(200_000);
  assertEquals(bench.messages, [0x40 + 20]);
});

test("PCI enumeration finds every function and nothing else", () => {
  const bench = new Bench();
  const found: string[] = [];
  for (let slot = 0; slot < 32; slot++) {
    for (let func = 0; func < 8; func++) {
      const id = bench.config(slot, func, 0);
      if (id !== 0xffff_ffff) found.push(`${slot}.${func} ${id.toString(16)}`);
    }
  }
  assertEquals(found, [
    "0.0 12378086",
    "1.0 70008086",
    "1.1 70108086",
    "1.3 71138086",
    "2.0 11111234",
    "3.0 100e8086",
  ]);
});

test("Direct boot leaves interrupt triggers, ports, BARs and ACPI tables as firmware would", () => {
  const bench = new Bench();
  const { acpiRsdp, reserved } = bench.board.prepareDirectBoot();
  assertEquals([bench.ports.read(0x4d0, 1), bench.ports.read(0x4d1, 1)], [0, 0x0e]);
  assertEquals(bench.board.acpi.pmBase, 0x600);
  assertEquals(reserved, [{ address: physical(0xe0000), sizeBytes: 0x20000, type: "reserved" }]);
  const signature = new Uint8Array(8);
  bench.memory.readBytes(physical(acpiRsdp), signature);
  assertEquals(String.fromCharCode(...signature), "RSD PTR ");
  bench.memory.write(0xc0000, 4, 0x1234_5678);
  assertEquals(bench.memory.read(0xc0000, 4), 0x1234_5678, "shadow RAM is open");
});

const LISTING: [name: string, resources: string][] = [
  ["com1", "ports 0x3f8-0x3ff, IRQ 4"],
  ["pit8254", "ports 0x40-0x43, IRQ 0"],
  ["8042 data", "ports 0x60, IRQ 1, IRQ 12"],
  ["ACPI power management", "ports 0x600-0x63f, IRQ 9"],
  ["ide.primary", "ports 0x1f0-0x1f7, IRQ 14"],
  ["ioapic", "memory 0xfec00000-0xfec00fff"],
  ["hpet", "memory 0xfed00000-0xfed00fff, IRQ 20, IRQ 21, IRQ 22, IRQ 23"],
  ["PCI 0.0 i440fx", "8086:1237"],
  ["PCI 1.3 piix4-pm", "8086:7113"],
  ["PCI 2.0 vga", "1234:1111, memory 0xfd000000-0xfdffffff"],
  [
    "PCI 3.0 e1000.0",
    "8086:100e, memory 0xfe000000-0xfe01ffff, ports 0xc000-0xc03f, IRQ 11",
  ],
];
test("The listing shows what each device occupies", () => {
  const bench = new Bench();
  bench.board.prepareDirectBoot();
  const listing = new Map(bench.board.listing().map(({ name, resources }) => [name, resources]));
  for (const [name, resources] of LISTING) assertEquals(listing.get(name), resources);
});

/** A board in the middle of things: an interrupt in service, one pending, a character on its way, BARs moved. */
function busyBench(): Bench {
  const bench = new Bench();
  bench.board.prepareDirectBoot();
  bench.startPic();
  for (const pin of [4, 11]) bench.routePin(pin, pin === 11);
  bench.out([0x43, 0x34], [0x40, 0xa9], [0x40, 0x04], [SERIAL.com1 + 4, 8], [SERIAL.com1 + 1, 2]);
  bench.memory.write(cardBase(bench) + IMS, 4, 1);
  bench.memory.write(cardBase(bench) + ICS, 4, 1);
  bench.out([0x1f6, 0xa0], [0x1f7, 0xec], [0x92, 0]);
  bench.board.keyboard.typeText("hi");
  bench.advance(1_500_000);
  bench.board.pic.acknowledge();
  return bench;
}

test("A snapshot restored into a fresh board is the same snapshot", () => {
  const saved = busyBench().board.save();
  const fresh = new Bench();
  fresh.board.restore(saved);
  assertEquals(fresh.board.save(), saved);
  assertEquals([fresh.log, fresh.messages], [[], []], "no wire moved");
});

test("A restored board goes on as the one that was saved", () => {
  const original = busyBench();
  const copy = new Bench();
  const records = [original.board.save(), original.clock.save()];
  copy.board.restore(records[0]);
  copy.clock.restore(records[1]);
  for (const bench of [original, copy]) {
    bench.log.length = bench.messages.length = 0;
    bench.out([0x20, 0x20]);
    bench.advance(3_000_000);
    bench.log.push(...bench.picVectors().map((vector) => `vector ${vector.toString(16)}`));
    bench.board.ioapic.eoi(0x4b);
    bench.memory.write(cardBase(bench) + IMC, 4, 1);
    bench.board.ioapic.eoi(0x4b);
  }
  assert(original.log.includes("vector 2b"), original.log.join());
  assertEquals(copy.log, original.log);
  assertEquals(copy.messages, original.messages);
  assertEquals(copy.board.save(), original.board.save());
});

test("RESET# takes the board back to power-on, wires included", () => {
  const bench = busyBench();
  bench.board.reset();
  assertEquals(bench.board.pic.interrupt, false);
  assertEquals(bench.board.acpi.pmBase, null);
  assertEquals(bench.config(3, 0, 0x10), 0);
  assertEquals(bench.memory.read(0xf0000, 4), 0xffff_ffff, "the ROM area is closed");
  const { wires } = bench.board.save().state as Record<string, { state: { high: unknown[] } }>;
  assertEquals(wires.state.high.filter((one) => (one as { irq: number }).irq !== 0), []);
  bench.board.prepareDirectBoot();
  assertEquals(bench.board.acpi.pmBase, 0x600);
});

/** Address, and the byte of a 256 KiB ROM whose 64 KiB blocks are filled with 1, 2, 3 and 4. */
const ROM_VIEW: [address: number, byte: number][] = [
  [0xfffc_0000, 1],
  [0xffff_ffff, 4],
  [0xc0000, 0xff],
  [0xdffff, 0xff],
  [0xe0000, 3],
  [0xf0000, 4],
  [0xfffff, 4],
];
test("The system ROM ends at 4 GiB and, with its last 128 KiB, at 1 MiB; PAM opens the RAM below", () => {
  const bench = new Bench({ firmware: "bios" });
  const image = Uint8Array.from({ length: 0x4_0000 }, (_, i) => (i >> 16) + 1);
  bench.board.placeBios(image);
  for (const [address, byte] of ROM_VIEW) assertEquals(bench.memory.read(address, 1), byte);
  bench.memory.write(0xf0000, 1, 0x55);
  assertEquals(bench.memory.read(0xf0000, 1), 4, "stores are lost");
  // PAM0: first write-only, then read and write.
  bench.config(0, 0, 0x58);
  bench.ports.write(0xcfd, 1, 0x20);
  bench.memory.write(0xf0000, 1, 0x55);
  assertEquals(bench.memory.read(0xf0000, 1), 4);
  bench.ports.write(0xcfd, 1, 0x30);
  assertEquals(bench.memory.read(0xf0000, 1), 0x55);
  bench.board.reset();
  assertEquals(bench.memory.read(0xf0000, 1), 4);
});

test("Firmware finds fw_cfg, a direct boot does not", () => {
  const signature = (bench: Bench) => {
    bench.ports.write(0x510, 2, 0);
    return [0, 1, 2, 3].map(() => bench.ports.read(0x511, 1));
  };
  assertEquals(String.fromCharCode(...signature(new Bench({ firmware: "bios" }))), "QEMU");
  assertEquals(signature(new Bench()), [255, 255, 255, 255]);
});

test("A20 is open while either gate is, and reset and exit reach the machine", () => {
  const bench = new Bench();
  const steps: [writes: [number, number][], log: string[]][] = [
    [[[0x92, 0]], []],
    [[[0x64, 0xd1], [0x60, 0xdd]], ["a20"]],
    [[[0x92, 2]], ["A20"]],
    [[[0x92, 3]], ["reset"]],
    [[[0x64, 0xfe]], ["reset"]],
    [[[0xcf9, 6]], ["reset"]],
    [[[0xf4, 3]], ["exit 7"]],
    [[[0x402, 0x41], [0xe9, 0x42]], []],
    [[[SERIAL.com1 + 3, 3], [SERIAL.com1, 0x43]], ["com1 C"]],
    [[[SERIAL.com2 + 3, 3], [SERIAL.com2, 0x44]], ["com2 D"]],
  ];
  for (const [writes, log] of steps) {
    bench.out(...writes);
    assertEquals(bench.log.splice(0), log);
  }
  assertEquals(bench.board.firmwareLog, "A");
});

test("The NMI button is dead while port 70h masks NMI", () => {
  const bench = new Bench();
  bench.board.pressNmiButton();
  bench.out([0x70, 0x80]);
  bench.board.pressNmiButton();
  bench.out([0x70, 0x00]);
  bench.board.pressNmiButton();
  assertEquals(bench.log, ["NMI", "nmi", "NMI", "nmi"]);
});

test("Impossible boards are refused with what was expected", () => {
  const disk = () => new DiskImage(zeroBase(MIB));
  const disks = [disk(), disk(), disk(), disk()];
  assertThrows(() => new Bench({ disks }), RangeError, "room for 3 disks, found 4");
  const { board } = new Bench();
  assertThrows(() => board.placeBios(new Uint8Array(0x20000)), TypeError, 'firmware "bios"');
  const bios = new Bench({ firmware: "bios" }).board;
  assertThrows(() => bios.placeBios(new Uint8Array(1000)), RangeError, "multiple of 65536");
});
