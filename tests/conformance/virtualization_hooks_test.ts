/**
 * The places where a hypervisor will plug in, tried with a stand-in on every engine: a second translation stage that
 * moves the guest, the VM id, the owner of ring 0, and the write barrier (DESIGN, sections 2 and 4).
 */

import { assertEquals } from "@std/assert";
import { physical } from "../../core/lib/brand.ts";
import { FRAME_BYTES, FrameWatch } from "../../core/memory/machine_memory.ts";
import type { Ring0Owner, Trap } from "../../core/x86/cpu.ts";
import type { DmaBus } from "../../core/memory/ports.ts";
import { Access, type SecondStage } from "../../core/x86/paging/mmu.ts";
import { Activity } from "../../core/x86/state/layout.ts";
import { FwCfgDevice } from "../../devices/fw_cfg/mod.ts";
import { updateMode } from "../../core/x86/system/mod.ts";
import { ENGINES, PROGRAM, SmallMachine } from "./small_machine.ts";

/** How far a stand-in virtual machine lies from address 0, and how much memory it has. */
const SHIFT = 0x20_0000;
const DATA = 0x10_0000;

/** A refused access. */
interface Refusal {
  readonly address: number;
  readonly access: number;
}

/** Moves guest-physical addresses up by SHIFT; refuses kinds of access to single pages. */
class ShiftedStage implements SecondStage {
  readonly refused = new Map<number, ReadonlySet<number>>();
  last: Refusal | null = null;
  calls = 0;

  constructor(readonly shift = SHIFT) {}

  translate(address: number, access: number): number {
    this.calls++;
    const page = Math.floor(address / FRAME_BYTES);
    if (address >= SHIFT || this.refused.get(page)?.has(access)) {
      this.last = { address: page * FRAME_BYTES, access };
      return -1;
    }
    return address + this.shift;
  }

  refuse(address: number, ...access: number[]): void {
    this.refused.set(address / FRAME_BYTES, new Set(access));
  }
}

/** Copies the guest as prepared to where `stage` maps it, and puts the stage in force. */
function virtualize(machine: SmallMachine, stage: ShiftedStage): void {
  const bytes = new Uint8Array(SHIFT);
  machine.memory.readBytes(physical(0), bytes);
  machine.memory.writeBytes(physical(stage.shift), bytes);
  machine.cpu.mmu.secondStage = stage;
  machine.cpu.mmu.flushEverything();
}

/** An owner that lets everything through except what a test overrides. */
function owner(overrides: Partial<Ring0Owner>): Ring0Owner {
  return { trap: () => false, ...overrides };
}

// Accesses that a second stage may refuse: the instruction, which page, which kinds of access.
const REFUSALS: readonly (readonly [
  claim: string,
  source: string,
  page: number,
  access: number,
])[] = [
  ["a load", `mov eax, [${DATA}]`, DATA, Access.read],
  ["a store", `mov [${DATA}], ecx`, DATA, Access.write],
  ["a store after a load that was allowed", `mov eax, [${DATA}]\nmov [${DATA}], ecx`, DATA, 1],
  ["a read-modify-write", `lock add [${DATA}], ecx`, DATA, Access.write],
  ["a fetch", `jmp ${DATA}`, DATA, Access.fetch],
  ["REP STOS", `mov edi, ${DATA - 64}\nmov ecx, 32\nrep stosq`, DATA, Access.write],
  ["a push", `mov esp, ${DATA + 8}\npush rcx`, DATA, Access.write],
  ["reading a page table", `mov rax, [${DATA}]`, 0x6000, Access.read],
  ["setting an accessed bit", `mov rax, [${DATA}]`, 0x7000, Access.write],
  ["a system instruction's operand", `lgdt [${DATA}]`, DATA, Access.read],
];

for (const engine of ENGINES) {
  Deno.test(`${engine}: a guest behind a second stage runs where the stage puts it`, () => {
    const machine = new SmallMachine(engine);
    machine.place(`mov ecx, 0x1234\nmov [${DATA}], ecx\nadd ecx, [${DATA}]\nhlt`);
    virtualize(machine, new ShiftedStage());
    machine.runTo(100);
    assertEquals(machine.cpu.state.rcx, 0x2468n);
    assertEquals([machine.read(DATA), machine.read(DATA + SHIFT)], [0, 0x1234]);
    const dirty = machine.read(0x7000 + SHIFT + 8 * (DATA / FRAME_BYTES)) & 0x60;
    assertEquals(dirty, 0x60, "A and D are set in the moved table");
  });

  for (const [claim, source, page, access] of REFUSALS) {
    Deno.test(`${engine}: the owner hears that ${claim} was refused, and it is tried again`, () => {
      const machine = new SmallMachine(engine);
      machine.place(`${source}\nmov ebx, 1\nhlt`);
      machine.place("mov ebx, 1\nhlt", DATA);
      const stage = new ShiftedStage();
      virtualize(machine, stage);
      stage.refuse(page, access);
      const heard: (Refusal | null)[] = [];
      machine.cpu.owner = owner({
        refused: (cpu, delivering) => {
          assertEquals(delivering, null);
          heard.push(stage.last);
          if (heard.length < 3) return;
          stage.refused.clear();
          cpu.mmu.flushEverything();
        },
      });
      machine.runTo(500);
      const refusal = { address: page, access };
      assertEquals(heard, [refusal, refusal, refusal]);
      assertEquals([machine.cpu.state.rbx, machine.cpu.state.activity], [1n, Activity.hlt]);
    });
  }

  Deno.test(`${engine}: an access that is refused for ever costs a cycle each time and hangs nothing`, () => {
    const machine = new SmallMachine(engine);
    machine.place(`mov eax, [${DATA}]`);
    const stage = new ShiftedStage();
    virtualize(machine, stage);
    stage.refuse(DATA, Access.read);
    let exits = 0;
    machine.cpu.owner = owner({ refused: () => void exits++ });
    machine.runTo(250);
    assertEquals(exits, 250);
  });

  Deno.test(`${engine}: a refusal on an exception's way to its handler names the exception`, () => {
    const machine = new SmallMachine(engine);
    const labels = machine.place(
      `mov esp, ${DATA + 0x800}\nud2\nhlt\nhandler:\nmov ebx, 7\nhlt`,
    );
    machine.gate(6, labels.handler);
    const stage = new ShiftedStage();
    virtualize(machine, stage);
    stage.refuse(DATA, Access.write);
    const heard: (Trap | null)[] = [];
    machine.cpu.owner = owner({
      refused: (_cpu, delivering) => {
        heard.push(delivering);
        stage.refused.clear();
      },
    });
    machine.runTo(100);
    assertEquals(heard, [{ vector: 6, kind: "fault", errorCode: -1 }]);
    assertEquals(machine.cpu.state.rbx, 7n, "the faulting instruction was tried again");
  });

  Deno.test(`${engine}: without an owner to hear of it, a refusal shuts the CPU down`, () => {
    const machine = new SmallMachine(engine);
    machine.place(`mov eax, [${DATA}]`);
    const stage = new ShiftedStage();
    virtualize(machine, stage);
    stage.refuse(DATA, Access.read);
    machine.runTo(100);
    assertEquals(machine.cpu.state.activity, Activity.shutdown);
  });

  Deno.test(`${engine}: each VM id has its own translations, which survive the others'`, () => {
    const machine = new SmallMachine(engine);
    machine.place(`again:\nmov eax, [${DATA}]\njmp again`);
    const stages = [new ShiftedStage(0x8_0000), new ShiftedStage(SHIFT)];
    const { state, mmu } = machine.cpu;
    const run = (vmId: number, to: number): [eax: bigint, asked: boolean] => {
      const stage = stages[vmId - 1];
      const before = stage.calls;
      state.vmId = vmId;
      mmu.secondStage = stage;
      state.rip = BigInt(PROGRAM);
      updateMode(machine.cpu);
      machine.runTo(to);
      return [state.rax, stage.calls > before];
    };
    for (const [i, { shift }] of stages.entries()) {
      const low = new Uint8Array(0x2_0000);
      machine.memory.readBytes(physical(0), low);
      machine.memory.writeBytes(physical(shift), low);
      machine.memory.write(shift + DATA, 4, 0x1111 * (i + 1));
    }
    assertEquals(run(1, 100), [0x1111n, true]);
    assertEquals(run(2, 200), [0x2222n, true]);
    assertEquals(run(1, 300), [0x1111n, false]);
    assertEquals(run(2, 400), [0x2222n, false]);
    assertEquals(state.modeKey >>> 8, 2, "code is tagged, too");
  });

  Deno.test(`${engine}: the owner of ring 0 takes traps as values, and direct gates pass it by`, () => {
    const machine = new SmallMachine(engine);
    const labels = machine.place(
      "int 0x80\nint 0x81\nud2\nhlt\ndirect:\ninc rbx\niretq",
    );
    machine.gate(0x80, labels.direct);
    machine.gate(0x81, labels.direct);
    const traps: (Trap & { rip: bigint })[] = [];
    machine.cpu.owner = owner({
      trap: ({ state }, trap) => {
        traps.push({ ...trap, rip: state.rip - BigInt(PROGRAM) });
        if (trap.vector === 6) state.rip += 2n;
        return true;
      },
      isDirectGate: (vector) => vector === 0x80,
    });
    machine.runTo(100);
    assertEquals(machine.cpu.state.rbx, 1n);
    assertEquals(traps, [
      { vector: 0x81, kind: "software", errorCode: -1, rip: 4n },
      { vector: 6, kind: "fault", errorCode: -1, rip: 4n },
    ]);
  });

  Deno.test(`${engine}: the owner takes external interrupts and page faults, too`, () => {
    const machine = new SmallMachine(engine);
    machine.place(`sti\nnop\nmov rax, [rcx]\nagain:\njmp again`);
    machine.cpu.state.rcx = 0x7000_0000_0000n;
    const traps: [number, string, number, bigint][] = [];
    machine.cpu.owner = owner({
      trap: ({ state, apic }, { vector, kind, errorCode }) => {
        traps.push([vector, kind, errorCode, state.faultAddress]);
        if (vector === 14) state.rip += 3n;
        else apic.writeMmio(0xb0, 4, 0);
        return true;
      },
    });
    machine.interruptAt(50, 0x55);
    machine.interruptAt(60, 0x55);
    machine.runTo(100);
    assertEquals(traps, [
      [14, "fault", 0, 0x7000_0000_0000n],
      [0x55, "external", -1, 0x7000_0000_0000n],
      [0x55, "external", -1, 0x7000_0000_0000n],
    ]);
  });

  Deno.test(`${engine}: the owner carries sensitive instructions out instead of the CPU`, () => {
    const machine = new SmallMachine(engine);
    machine.place("mov cr3, rax\ncpuid\nmov dx, 0x80\nin al, dx\nlgdt [rsi]\nsti\nhlt");
    machine.io.attachPorts(0x80, 0x80, "never", {
      readPort: () => {
        throw new Error("the port was read");
      },
      writePort: () => {},
    });
    const seen: string[] = [];
    machine.cpu.state.rsi = 0x7000_0000_0000n;
    machine.cpu.owner = owner({
      intercept: (_cpu, name) => {
        seen.push(name);
        return true;
      },
    });
    machine.runTo(7);
    assertEquals(seen, ["writeCr", "cpuid", "in", "lgdt", "sti", "hlt"]);
    const { cr3, flags, activity } = machine.cpu.state;
    assertEquals([cr3, flags & 0x200, activity], [0x4000n, 0, Activity.active]);
  });
}

// What stores to a watched frame, each of which the barrier must report.
const STORES: readonly (readonly [claim: string, source: string, offset: number, bytes: number])[] =
  [
    ["MOV", `mov dword [${DATA}], 1`, 0, 4],
    ["a read-modify-write", `add byte [${DATA + 5}], 1`, 5, 1],
    ["PUSH", `mov esp, ${DATA + 0x108}\npush rax`, 0x100, 4],
    ["REP STOS", `mov edi, ${DATA - 256}\nmov ecx, 80\nrep stosd`, 0, 4],
    ["REP MOVS", `mov edi, ${DATA}\nmov esi, ${PROGRAM}\nmov ecx, 64\nrep movsb`, 0, 1],
    ["a store across the frame's start", `mov qword [${DATA - 4}], -1`, 0, 4],
    ["SGDT", `sgdt [${DATA + 16}]`, 18, 4],
    ["FXSAVE", `fxsave [${DATA + 512}]`, 512, 4],
  ];

for (const engine of ENGINES) {
  for (const [claim, source, offset, bytes] of STORES) {
    Deno.test(`${engine}: the write barrier sees ${claim}, with direct access given before`, () => {
      const machine = new SmallMachine(engine);
      machine.place(`mov dword [${DATA}], 0\nmov dword [${DATA - 8}], 0\nnop\n${source}\nhlt`);
      const { memory } = machine;
      const frame = memory.readableLinear(DATA) / FRAME_BYTES;
      const stores: [watch: number, offset: number, bytes: number][] = [];
      memory.observe({
        beforeStore: (page, watch, at, length) => {
          if (page === frame) stores.push([watch, at, length]);
        },
      });
      machine.cpu.state.rax = 0x1234_5678n;
      machine.runTo(3);
      assertEquals(stores, [], "not watched yet");
      memory.watch(frame, FrameWatch.dirty);
      machine.runTo(300);
      assertEquals(stores[0], [FrameWatch.dirty, offset, bytes]);
      memory.unwatch(frame, FrameWatch.dirty);
      const seen = stores.length;
      memory.writeDma(physical(DATA), new Uint8Array(8));
      assertEquals(stores.length, seen, "not watched any more");
    });
  }

  Deno.test(`${engine}: DMA into a watched frame passes the barrier, and changes code that ran`, () => {
    const machine = new SmallMachine(engine);
    machine.place("again:\nmov eax, 1\njmp again");
    machine.runTo(50);
    const frame = machine.memory.readableLinear(PROGRAM) / FRAME_BYTES;
    assertEquals(machine.memory.watches(frame), engine === "reference" ? 0 : FrameWatch.code);
    machine.memory.writeDma(physical(PROGRAM + 1), Uint8Array.of(2));
    machine.runTo(60);
    assertEquals(machine.cpu.state.rax, 2n);
  });

  Deno.test(`${engine}: code that patches the instruction behind it runs the new one`, () => {
    const machine = new SmallMachine(engine);
    machine.place("mov byte [patched + 1], 7\npatched:\nmov al, 1\nhlt");
    machine.runTo(10);
    assertEquals(machine.cpu.state.rax, 7n);
  });

  Deno.test(`${engine}: a page table entry changed under running code takes effect at INVLPG`, () => {
    const machine = new SmallMachine(engine);
    const entry = 0x7000 + 8 * (DATA / FRAME_BYTES);
    const labels = machine.place(`
      mov eax, [${DATA}]
      mov dword [${entry}], ${(DATA + FRAME_BYTES) | 7}
      mov ebx, [${DATA}]
      invlpg [${DATA}]
      mov ecx, [${DATA}]
      mov dword [${entry}], 0
      invlpg [${DATA}]
      mov edx, [${DATA}]
      hlt
      handler:
      mov rsi, cr2
      hlt`);
    machine.gate(14, labels.handler);
    machine.memory.write(DATA, 4, 11);
    machine.memory.write(DATA + FRAME_BYTES, 4, 22);
    machine.runTo(20);
    const { rax, rbx, rcx, rsi } = machine.cpu.state;
    assertEquals([rax, rbx, rcx, rsi], [11n, 11n, 22n, BigInt(DATA)]);
  });
}

/** A bus with a stand-in IOMMU: what it refuses reads all-ones and writes nothing. */
class TranslatedBus implements DmaBus {
  constructor(private readonly machine: SmallMachine, private readonly stage: SecondStage) {}

  readDma(address: number, into: Uint8Array): void {
    const at = this.stage.translate(address, Access.read);
    if (at < 0) into.fill(0xff);
    else this.machine.memory.readDma(physical(at), into);
  }

  writeDma(address: number, bytes: Uint8Array): void {
    const at = this.stage.translate(address, Access.write);
    if (at >= 0) this.machine.memory.writeDma(physical(at), bytes);
  }
}

// A fw_cfg DMA access: control (select item 0 and read), length, address, all big-endian.
const DESCRIPTOR = Uint8Array.of(0, 0, 0, 0x0a, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0x10, 0x20, 0);
const SIGNATURE = new DataView(Uint8Array.of(0x51, 0x45, 0x4d, 0x55).buffer).getUint32(0, true);

Deno.test("a device's DMA goes where an IOMMU puts it, and nowhere if it refuses", () => {
  for (const [refused, expected] of [[false, SIGNATURE], [true, 0]] as const) {
    const machine = new SmallMachine("cold");
    const stage = new ShiftedStage();
    const { io, memory } = machine;
    const dma = new TranslatedBus(machine, stage);
    new FwCfgDevice({ ports: io, dma, memoryBytes: 0, cpus: 1, maxCpus: 1, memoryMap: [] });
    if (refused) stage.refuse(DATA + 0x2000, Access.write);
    memory.writeBytes(physical(SHIFT + DATA), DESCRIPTOR);
    machine.place(`mov dx, 0x518\nmov eax, ${DATA}\nbswap eax\nout dx, eax\nhlt`);
    machine.runTo(20);
    assertEquals(machine.read(DATA + 0x2000), 0);
    assertEquals(machine.read(SHIFT + DATA + 0x2000), expected);
  }
});
