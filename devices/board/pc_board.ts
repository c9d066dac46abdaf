/**
 * The PC board: an i440FX/PIIX machine composed of the chips in this folder's siblings. It wires them; what they
 * do is theirs. The CPUs and their local APICs are not here: the board talks to them by messages and by wires.
 */

import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { AcpiDevice } from "../acpi/mod.ts";
import type { E1000Pci } from "../e1000/mod.ts";
import type { FwCfgDevice } from "../fw_cfg/mod.ts";
import type { KeyboardController } from "../i8042/mod.ts";
import type { Piix3Ide } from "../ide/mod.ts";
import { IoApic } from "../ioapic/mod.ts";
import type { PciBus } from "../pci/mod.ts";
import { Pic8259Pair } from "../pic8259/mod.ts";
import type { PostPort } from "../debug_ports/mod.ts";
import type { RtcDevice } from "../rtc/mod.ts";
import type { SerialPort } from "../uart16550/mod.ts";
import type { VgaCard } from "../vga/mod.ts";
import { BiosRom } from "./bios_rom.ts";
import type { BoardWiring } from "./board_options.ts";
import { type DirectBoot, prepareDirectBoot } from "./direct_boot.ts";
import { IrqWiring } from "./irq_wiring.ts";
import { type IsaDevices, plugIsaDevices } from "./isa_devices.ts";
import { type DeviceRow, listDevices } from "./listing.ts";
import { boardTables, firmwareConfiguration } from "./machine_description.ts";
import { MmioDirectory } from "./mmio_directory.ts";
import { type PciDevices, plugPciDevices } from "./pci_devices.ts";

/** The board of one machine. */
export class PcBoard implements Snapshot {
  /** The 8259s; whoever takes INTR asks them for the vector. */
  readonly pic: Pic8259Pair;
  /** Wants to be told of EOIs. */
  readonly ioapic: IoApic;
  readonly #wiring: BoardWiring;
  readonly #wires: IrqWiring;
  readonly #mmio: MmioDirectory;
  readonly #rom: BiosRom;
  readonly #isa: IsaDevices;
  readonly #pci: PciDevices;
  readonly #fwCfg: FwCfgDevice | null;

  /** Throws `RangeError` or `SyntaxError` on an option that makes no sense. */
  constructor(wiring: BoardWiring) {
    const { ports, memory, messages, options } = wiring;
    this.#wiring = wiring;
    this.#mmio = new MmioDirectory(memory);
    this.#rom = new BiosRom(memory);
    this.pic = new Pic8259Pair({ onInterrupt: (high) => wiring.onInterrupt(high) });
    this.pic.attach(ports);
    this.ioapic = new IoApic(messages);
    this.ioapic.attach(this.#mmio);
    this.#wires = new IrqWiring(this.pic, this.ioapic);
    this.#isa = plugIsaDevices(wiring, this.#wires, this.#mmio);
    this.#pci = plugPciDevices(wiring, {
      wires: this.#wires,
      mmio: this.#mmio,
      rom: this.#rom,
      acpi: this.#isa.acpi,
    });
    this.#fwCfg = options.firmware === "bios"
      ? firmwareConfiguration(ports, memory, options)
      : null;
  }

  get acpi(): AcpiDevice {
    return this.#isa.acpi;
  }

  get com1(): SerialPort {
    return this.#isa.com1;
  }

  get com2(): SerialPort {
    return this.#isa.com2;
  }

  get keyboard(): KeyboardController {
    return this.#isa.keyboard;
  }

  get post(): PostPort {
    return this.#isa.post;
  }

  get rtc(): RtcDevice {
    return this.#isa.rtc;
  }

  get ide(): Piix3Ide {
    return this.#pci.ide;
  }

  get nic(): E1000Pci | null {
    return this.#pci.nic;
  }

  get pci(): PciBus {
    return this.#pci.pci;
  }

  get vga(): VgaCard {
    return this.#pci.vga;
  }

  /** What firmware printed to its debug console, the last 8 to 16 KiB of it. */
  get firmwareLog(): string {
    return this.#isa.debugConsoles[0].text;
  }

  /** Maps the system ROM. Throws `TypeError` on a board without firmware, `RangeError` on an odd size. */
  placeBios(image: Uint8Array): void {
    if (this.#fwCfg === null) {
      throw new TypeError('a ROM needs a board with firmware "bios", this one has "none"');
    }
    this.#rom.place(image);
  }

  /** Does firmware's work for a kernel that is started directly; see {@link DirectBoot}. */
  prepareDirectBoot(): DirectBoot {
    const { ports, memory, options } = this.#wiring;
    const { pci, ide } = this.#pci;
    return prepareDirectBoot({ ports, memory, pci, ide, tables: boardTables(options) });
  }

  /** One non-maskable interrupt, as from a front panel's button; lost while port 70h masks it. */
  pressNmiButton(): void {
    if (this.#isa.rtc.nmiMasked) return;
    this.#wiring.onNmi?.(true);
    this.#wiring.onNmi?.(false);
  }

  /** RESET#: every chip that has a reset pin; the controllers last, when their inputs are quiet. */
  reset(): void {
    const { hpet, rtc, keyboard, port92, com1, com2, acpi } = this.#isa;
    const { pci, vga } = this.#pci;
    for (const chip of [hpet, rtc, keyboard, port92, com1, com2, acpi, pci, vga]) chip.reset();
    this.#rom.close();
    this.pic.reset();
    this.ioapic.reset();
  }

  /** The devices with the ports, memory and interrupts that they occupy now. */
  listing(): DeviceRow[] {
    return listDevices({
      ports: this.#wiring.ports,
      mmio: this.#mmio,
      wires: this.#wires,
      pci: this.#pci.pci,
      router: this.#pci.router,
    });
  }

  save(): SnapshotRecord {
    const state = Object.fromEntries(
      this.#parts().map(([name, part]) => [name, { ...part.save() }]),
    );
    return { kind: "board", version: 1, state };
  }

  /** Drives no interrupt wire: those who listen restore their own inputs. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "board", 1);
    for (const [name, part] of this.#parts()) {
      part.restore(state[name] as unknown as SnapshotRecord);
    }
  }

  /**
   * The parts with a state. The wires come first, so that a device that repeats its level changes nothing;
   * PCI comes before ACPI, whose registers are where PCI says. The PCI bus holds IDE and network card.
   */
  #parts(): readonly (readonly [name: string, part: Snapshot])[] {
    const isa = this.#isa;
    const parts: [string, Snapshot][] = [
      ["wires", this.#wires],
      ["pic", this.pic],
      ["ioapic", this.ioapic],
      ["hpet", isa.hpet],
      ["pit", isa.pit],
      ["rtc", isa.rtc],
      ["a20", isa.gate],
      ["keyboard", isa.keyboard],
      ["port92", isa.port92],
      ["com1", isa.com1],
      ["com2", isa.com2],
      ["post", isa.post],
      ["firmwareConsole", isa.debugConsoles[0]],
      ["bochsConsole", isa.debugConsoles[1]],
      ["pci", this.#pci.pci],
      ["acpi", isa.acpi],
      ["vga", this.#pci.vga],
    ];
    if (this.#fwCfg) parts.push(["fwCfg", this.#fwCfg]);
    return parts;
  }
}
