/**
 * The PC board: an i440FX/PIIX machine composed of the chips in this folder's siblings. It wires them; what they
 * do is theirs. The CPUs and their local APICs are not here: the board talks to them by messages and by one wire.
 */

import type { Clock } from "../../core/clock/clock.ts";
import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { IoSpace } from "../../core/memory/io_space.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { MessageBus } from "../../core/memory/ports.ts";
import { AcpiDevice, buildAcpiTables, placeTables } from "../acpi/mod.ts";
import { attachDebugExit, DebugConsole, Port92, PostPort } from "../debug_ports/mod.ts";
import type { DiskImage, ReadonlyBytes } from "../disk/mod.ts";
import { E1000Pci } from "../e1000/mod.ts";
import { FwCfgDevice } from "../fw_cfg/mod.ts";
import { HpetDevice } from "../hpet/mod.ts";
import { A20Gate, KeyboardController } from "../i8042/mod.ts";
import { AtaDisk, AtapiCdrom, Piix3Ide } from "../ide/mod.ts";
import { IoApic } from "../ioapic/mod.ts";
import { parseMac, type SwitchPort } from "../net/mod.ts";
import { configurePci, I440fx, PciBus, PciInterruptRouter, Piix3Isa, Piix4Pm } from "../pci/mod.ts";
import { Pic8259Pair } from "../pic8259/mod.ts";
import { PitDevice } from "../pit8254/mod.ts";
import type { PowerControl } from "../power.ts";
import { RtcDevice } from "../rtc/mod.ts";
import { COM1, COM2, SerialPort } from "../uart16550/mod.ts";
import { VgaCard } from "../vga/mod.ts";
import { BiosRom } from "./bios_rom.ts";
import { IrqWiring } from "./irq_wiring.ts";

/** A network card: what it is called on the wire, and the switch port that it is plugged into. */
export interface NicChoice {
  readonly mac: string;
  readonly port: SwitchPort;
}

/** What a board can be told; everything has a default but the firmware. */
export interface BoardChoices {
  /** `bios`: a ROM is placed and does its work; `none`: {@link PcBoard.prepareDirectBoot} does it. */
  readonly firmware: "bios" | "none";
  /** Up to three hard disks: primary master, primary slave, secondary slave. */
  readonly disks?: readonly DiskImage[];
  /** The disc in the CD-ROM drive, which is the secondary master. */
  readonly cdrom?: ReadonlyBytes | null;
  readonly nic?: NicChoice | null;
  /** The display's option ROM. */
  readonly vgabios?: Uint8Array | null;
  /** Date at power-on, ISO 8601. */
  readonly date?: string;
  /** Bytes sent by COM2 and by the firmware's debug console. */
  readonly com2?: (byte: number) => void;
  readonly debugConsole?: (byte: number) => void;
}

/** What the board is wired to. */
export interface BoardWiring {
  readonly clock: Clock;
  readonly ports: IoSpace;
  readonly memory: MachineMemory;
  /** Interrupt messages to the local APICs. */
  readonly messages: MessageBus;
  /** The 8259 pair's INTR output. */
  onInterrupt(high: boolean): void;
  readonly power: PowerControl;
  onA20(open: boolean): void;
  readonly options: BoardChoices & {
    readonly apicIds: readonly number[];
    readonly ramBytes: number;
    readonly lowRamBytes: number;
    readonly com1: (byte: number) => void;
  };
}

/** Where ACPI tables lie without firmware, and what of it the memory map must reserve. */
export interface DirectBoot {
  readonly acpiRsdp: number;
  readonly reserved: readonly {
    readonly address: PhysicalAddress;
    readonly sizeBytes: number;
    readonly type: "reserved";
  }[];
}

const FW_CFG_RAM = 1;
const HPET = { base: 0xfed0_0000, blockId: 0x8086_a201 };
const PCI_HOLE_END = 0xfebf_ffff;
const ACPI_AREA = { address: 0xe_0000, sizeBytes: 0x1_0000 };
/** Edge/level control: IRQs 9 (SCI), 10 and 11 (PCI) are level-triggered. */
const ELCR = [{ port: 0x4d0, value: 0 }, { port: 0x4d1, value: 0x0e }] as const;
/** Boot order codes of CMOS and fw_cfg's device paths, CD first when there is a disc. */
const CD_PATH = "/pci@i0cf8/ide@1,1/drive@1/disk@0";
const DISK_PATH = "/pci@i0cf8/ide@1,1/drive@0/disk@0";

/** The board of one machine. */
export class PcBoard implements Snapshot {
  readonly pic: Pic8259Pair;
  readonly ioapic: IoApic;
  readonly com1: SerialPort;
  readonly com2: SerialPort;
  readonly vga: VgaCard;
  readonly keyboard: KeyboardController;
  readonly pci: PciBus;
  readonly ide: Piix3Ide;
  readonly acpi: AcpiDevice;
  readonly rtc: RtcDevice;
  readonly nic: E1000Pci | null;
  readonly post: PostPort;
  readonly #rom: BiosRom;
  readonly #wiring: BoardWiring;
  /** Parts that have a state, by name, in the order of saving. */
  readonly #parts: readonly (readonly [name: string, part: Snapshot])[];
  readonly #hpet: HpetDevice;
  readonly #port92: Port92;

  constructor(wiring: BoardWiring) {
    const { clock, ports, memory, messages, power, options } = wiring;
    this.#wiring = wiring;
    this.#rom = new BiosRom(memory);
    this.pic = new Pic8259Pair({ onInterrupt: (high) => wiring.onInterrupt(high) });
    this.pic.attach(ports);
    this.ioapic = new IoApic(messages);
    this.ioapic.attach(memory);
    const wires = new IrqWiring(this.pic, this.ioapic);
    const irq = (number: number) => wires.driver(number);
    this.#hpet = new HpetDevice({ clock, memory, irq0: irq(0), irq8: irq(8) });
    const pit = new PitDevice({ clock, ports, irq0: this.#hpet.legacyInput(0) });
    const setup = this.#cmosSetup();
    this.rtc = new RtcDevice({
      clock,
      ports,
      irq8: this.#hpet.legacyInput(8),
      date: options.date,
      setup,
    });
    const gate = new A20Gate((open) => wiring.onA20(open));
    this.keyboard = new KeyboardController({
      ports,
      clock,
      irq1: irq(1),
      irq12: irq(12),
      gate,
      reset: () => power.reset(),
    });
    this.#port92 = new Port92({ ports, power, onA20: (open) => gate.setSource("portA", open) });
    this.com1 = new SerialPort({ ...COM1, clock, transmit: options.com1 }, ports, irq(COM1.irq));
    this.com2 = new SerialPort(
      { ...COM2, clock, transmit: options.com2 ?? ignore },
      ports,
      irq(COM2.irq),
    );
    this.post = new PostPort(ports);
    attachDebugExit(ports, power);
    const debugConsole = new DebugConsole(ports, 0x402, options.debugConsole ?? ignore);
    this.acpi = new AcpiDevice({ clock, ports, sci: irq(9), power, pmBase: null });
    const router = new PciInterruptRouter((number) => irq(number));
    this.pci = new PciBus({ ports, mmio: memory, router, resetMachine: () => power.reset() });
    this.pci.plug(
      0,
      0,
      new I440fx({ setPam: (region, read, write) => this.#setPam(region, read, write) }),
    );
    this.pci.plug(1, 0, new Piix3Isa(router));
    this.ide = this.#plugIde([irq(14), irq(15)]);
    this.pci.plug(1, 3, new Piix4Pm({ setPmBase: (base, on) => this.acpi.setPmBase(base, on) }));
    this.vga = new VgaCard({ clock, ports, mmio: memory });
    this.pci.plug(2, 0, this.vga.pciFunction(options.vgabios ?? undefined));
    this.nic = this.#plugNic(options.nic ?? null);
    this.pci.attach();
    const firmware = options.firmware === "bios"
      ? [["fw-cfg", this.#firmwareConfiguration()] as const]
      : [];
    this.#parts = [
      ["pic", this.pic],
      ["ioapic", this.ioapic],
      ["hpet", this.#hpet],
      ["pit", pit],
      ["rtc", this.rtc],
      ["a20", gate],
      ["keyboard", this.keyboard],
      ["port92", this.#port92],
      ["com1", this.com1],
      ["com2", this.com2],
      ["post", this.post],
      ["debug-console", debugConsole],
      ["acpi", this.acpi],
      ["pci", this.pci],
      ["ide", this.ide],
      ["vga", this.vga],
      ...(this.nic ? [["nic", this.nic.nic] as const] : []),
      ...firmware,
    ];
  }

  /** Maps the system ROM; only for boards with firmware. */
  placeBios(image: Uint8Array): void {
    this.#rom.place(image);
  }

  /** Does firmware's work for a kernel that is started directly: PCI, IDE, interrupt triggers, ACPI tables. */
  prepareDirectBoot(): DirectBoot {
    const { ports, memory } = this.#wiring;
    configurePci(this.pci);
    this.ide.enable();
    for (const { port, value } of ELCR) ports.write(port, 1, value);
    const { rsdp, parts } = placeTables(this.#tables());
    for (const { address, bytes } of parts) memory.writeBytes(address, bytes);
    return {
      acpiRsdp: rsdp,
      reserved: [{ ...ACPI_AREA, address: physical(ACPI_AREA.address), type: "reserved" }],
    };
  }

  /** RESET#: every chip that has a reset pin. */
  reset(): void {
    this.pic.reset();
    this.ioapic.reset();
    this.#hpet.reset();
    this.rtc.reset();
    this.keyboard.reset();
    this.#port92.reset();
    this.com1.reset();
    this.com2.reset();
    this.acpi.reset();
    this.pci.reset();
    this.vga.reset();
    this.#rom.close();
  }

  /** The devices with the ports, memory and interrupts that they occupy. */
  listing(): { readonly name: string; readonly resources: string }[] {
    const rows = new Map<string, string[]>();
    for (const { first, last, name } of this.#wiring.ports.claims()) {
      const range = first === last ? hex(first) : `${hex(first)}-${hex(last)}`;
      rows.set(name, [...(rows.get(name) ?? []), range]);
    }
    return [...rows].map(([name, ranges]) => ({ name, resources: `ports ${ranges.join(", ")}` }));
  }

  save(): SnapshotRecord {
    const state = Object.fromEntries(this.#parts.map(([name, part]) => [name, { ...part.save() }]));
    return { kind: "board", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "board", 1);
    for (const [name, part] of this.#parts) part.restore(state[name] as unknown as SnapshotRecord);
  }

  #setPam(...change: Parameters<BiosRom["setPam"]>): void {
    this.#rom.setPam(...change);
  }

  #plugIde(irqs: ConstructorParameters<typeof Piix3Ide>[0]["irqs"]): Piix3Ide {
    const { clock, memory, ports, options } = this.#wiring;
    const [first, second, third] = (options.disks ?? []).map((disk) => new AtaDisk(disk));
    const cdrom = new AtapiCdrom(options.cdrom ?? null);
    const ide = new Piix3Ide({
      clock,
      dma: memory,
      irqs,
      drives: [[first ?? null, second ?? null], [cdrom, third ?? null]],
    });
    this.pci.plug(1, 1, ide);
    ide.attachLegacy(ports);
    return ide;
  }

  #plugNic(choice: NicChoice | null): E1000Pci | null {
    if (choice === null) return null;
    const { clock, memory } = this.#wiring;
    const card = new E1000Pci({ name: "e1000.0", clock, dma: memory, mac: parseMac(choice.mac) });
    this.pci.plug(3, 0, card);
    card.nic.wire = choice.port;
    choice.port.connect(card.nic);
    return card;
  }

  #tables(): ReturnType<typeof buildAcpiTables> {
    const { apicIds, lowRamBytes } = this.#wiring.options;
    return buildAcpiTables({
      processors: apicIds.map((apicId) => ({ apicId })),
      hpet: HPET,
      pciMemory: [Math.max(0xc000_0000, lowRamBytes), PCI_HOLE_END],
    });
  }

  #cmosSetup(): ConstructorParameters<typeof RtcDevice>[0]["setup"] {
    const { ramBytes, lowRamBytes, apicIds, cdrom } = this.#wiring.options;
    return {
      memoryBytes: lowRamBytes,
      memoryAbove4GBytes: ramBytes - lowRamBytes,
      cpus: apicIds.length,
      bootOrder: cdrom ? ["cdrom", "disk"] : ["disk", "cdrom"],
    };
  }

  #firmwareConfiguration(): FwCfgDevice {
    const { ports, memory, options } = this.#wiring;
    const { ramBytes, lowRamBytes, apicIds, cdrom } = options;
    const ranges = [{ address: 0, sizeBytes: lowRamBytes, type: FW_CFG_RAM }];
    if (ramBytes > lowRamBytes) {
      ranges.push({ address: 0x1_0000_0000, sizeBytes: ramBytes - lowRamBytes, type: FW_CFG_RAM });
    }
    return new FwCfgDevice({
      ports,
      dma: memory,
      memoryBytes: ramBytes,
      cpus: apicIds.length,
      maxCpus: apicIds.length,
      memoryMap: ranges,
      tables: this.#tables(),
      bootOrder: cdrom ? [CD_PATH, DISK_PATH] : [DISK_PATH, CD_PATH],
    });
  }
}

function ignore(): void {}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
