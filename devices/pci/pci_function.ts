/**
 * One PCI function: a type-0 configuration header, base address registers that map and unmap
 * themselves, and an INTx pin.
 *
 * A device either extends {@link PciFunction} or holds one. Wiring: construct it with a table of
 * its own registers and BARs, then `bus.plug(slot, function, it)`.
 */

import { physical, type PhysicalAddress } from "../../core/lib/brand.ts";
import type {
  MmioBus,
  MmioDevice,
  MmioSize,
  PortBus,
  PortDevice,
  PortSize,
} from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { ConfigSpace, type PciRegister } from "./config_space.ts";

/** Positions in the type-0 header (PCI 3.0, section 6.1, "Configuration Space Organization"). */
export const PCI_HEADER = {
  vendorId: 0x00,
  deviceId: 0x02,
  command: 0x04,
  status: 0x06,
  revisionId: 0x08,
  classCode: 0x09,
  cacheLineSize: 0x0c,
  latencyTimer: 0x0d,
  headerType: 0x0e,
  baseAddress0: 0x10,
  subsystemVendorId: 0x2c,
  subsystemId: 0x2e,
  expansionRom: 0x30,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const;

/** Bits of the command register (PCI 3.0, section 6.2.2, "Device Control"). */
export const PCI_COMMAND = {
  ioSpace: 1 << 0,
  memorySpace: 1 << 1,
  busMaster: 1 << 2,
  parityErrorResponse: 1 << 6,
  serrEnable: 1 << 8,
  interruptDisable: 1 << 10,
} as const;

/** Bits of the status register (PCI 3.0, section 6.2.3, "Device Status"). */
export const PCI_STATUS = {
  interruptStatus: 1 << 3,
  devselMedium: 1 << 9,
  /** Error bits, cleared by writing one. */
  errors: 0xf900,
} as const;

/** A base address register. The device sees offsets from the start of the range, for ports too. */
export type PciBar =
  | {
    /** Which of the six registers, 0 to 5. */
    readonly index: number;
    readonly kind: "io";
    /** A power of two from 4 to 256. */
    readonly sizeBytes: number;
    readonly name: string;
    readonly device: PortDevice;
  }
  | {
    readonly index: number;
    readonly kind: "memory";
    /** A power of two from 4096. */
    readonly sizeBytes: number;
    readonly prefetchable?: boolean;
    readonly name: string;
    readonly device: MmioDevice;
  };

/** What a function is. */
export interface PciFunctionOptions {
  /** Names the function in listings and snapshots, for example `pcnet`. */
  readonly name: string;
  readonly vendorId: number;
  readonly deviceId: number;
  /** Base class, subclass and programming interface as one 24-bit number. */
  readonly classCode: number;
  readonly revisionId?: number;
  /** Default: 1AF4h and 1100h, as SeaBIOS looks for at the host bridge to know its board. */
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  /** 0 for none, 1 for INTA# to 4 for INTD#. */
  readonly interruptPin?: 0 | 1 | 2 | 3 | 4;
  /** Sets bit 7 of the header type: function 0 of a device with several functions. */
  readonly multifunction?: boolean;
  /** Command register after reset; default 0. */
  readonly commandReset?: number;
  /** Writable bits of the command register; default: those in {@link PCI_COMMAND}. */
  readonly commandWritable?: number;
  /** Status register after reset; default: medium DEVSEL timing. */
  readonly statusReset?: number;
  /** Registers of the device itself, at 40h and above. */
  readonly registers?: readonly PciRegister[];
  readonly bars?: readonly PciBar[];
  /** Contents of the expansion ROM; its size is rounded up to a power of two from 4096. */
  readonly rom?: Uint8Array;
}

/** What a bus gives a function that is plugged in. */
export interface PciConnection {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  /** Drives the function's INTx pin. */
  setInterrupt(high: boolean): void;
  /** A range was released: others that wanted it may map now. */
  released(): void;
}

/** A range that a BAR (or the ROM register) may map. */
interface Window {
  readonly register: number;
  readonly kind: "io" | "memory" | "rom";
  readonly sizeBytes: number;
  readonly name: string;
  readonly attach: (connection: PciConnection, base: number) => void;
  /** Where it is mapped now. */
  base: number | null;
}

const EVERY_COMMAND_BIT = Object.values(PCI_COMMAND).reduce((all, bit) => all | bit, 0);

/** A function on a PCI bus; see the module comment. Addresses that collide with a claim stay unmapped. */
export class PciFunction implements Snapshot {
  readonly name: string;
  readonly config: ConfigSpace;
  readonly bars: readonly PciBar[];
  readonly interruptPin: number;
  readonly #windows: Window[];
  #connection: PciConnection | null = null;
  #interruptRequested = false;

  /** Throws `RangeError` if a BAR's index or size is not what PCI allows. */
  constructor(options: PciFunctionOptions) {
    this.name = options.name;
    this.bars = options.bars ?? [];
    this.interruptPin = options.interruptPin ?? 0;
    for (const bar of this.bars) checkBar(options.name, bar);
    const romBytes = options.rom ? romSize(options.rom.length) : 0;
    this.config = new ConfigSpace([
      ...headerRegisters(options, romBytes),
      ...(options.registers ?? []),
    ]);
    this.#windows = this.bars.map(barWindow);
    if (options.rom) this.#windows.push(romWindow(options.name, options.rom, romBytes));
  }

  /** Whether the function may start DMA. */
  get busMasterEnabled(): boolean {
    return (this.command & PCI_COMMAND.busMaster) !== 0;
  }

  /** The command register. */
  get command(): number {
    return this.config.read(PCI_HEADER.command, 2);
  }

  /** The BARs (and ROM) with their registers' positions and sizes in bytes, for firmware. */
  get windows(): readonly Pick<Window, "register" | "kind" | "sizeBytes" | "name" | "base">[] {
    return this.#windows;
  }

  /** Called by the bus when the function is plugged in. */
  connect(connection: PciConnection): void {
    this.#connection = connection;
    this.updateMappings();
  }

  /** A configuration read by software. */
  readConfig(offset: number, size: PortSize): number {
    return this.config.read(offset, size);
  }

  /** A configuration write by software. */
  writeConfig(offset: number, size: PortSize, value: number): void {
    this.config.write(offset, size, value);
    if (offset < 0x40) {
      this.updateMappings();
      this.#driveInterrupt();
    }
    this.configWritten(offset, size);
  }

  /** Drives INTx: `high` means asserted (the wire itself is active low). */
  setInterrupt(high: boolean): void {
    this.#interruptRequested = high;
    this.#driveInterrupt();
  }

  /** Puts the header into its state after a reset and unmaps everything. */
  reset(): void {
    this.config.reset();
    this.#interruptRequested = false;
    this.updateMappings();
    this.#driveInterrupt();
    this.configWritten(0, 4);
  }

  /** For a device with registers of its own: `size` bytes at `offset` were written, reset or restored. */
  protected configWritten(_offset: number, _size: PortSize): void {}

  /** Maps and unmaps ranges as command and base address registers say. */
  updateMappings(): void {
    const connection = this.#connection;
    if (!connection) return;
    let released = false;
    for (const window of this.#windows) {
      if (window.base === null || window.base === this.#wantedBase(window)) continue;
      this.#unmap(connection, window);
      released = true;
    }
    for (const window of this.#windows) {
      const wanted = this.#wantedBase(window);
      if (wanted === null || window.base !== null) continue;
      try {
        window.attach(connection, wanted);
        window.base = wanted;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    if (released) connection.released();
  }

  /** Unmaps everything until {@link updateMappings}; the bus uses it while it restores. */
  unmapAll(): void {
    for (const window of this.#windows) {
      if (this.#connection && window.base !== null) this.#unmap(this.#connection, window);
    }
  }

  save(): SnapshotRecord {
    return {
      kind: `pci.${this.name}`,
      version: 1,
      state: { config: this.config.save(), interrupt: this.#interruptRequested },
    };
  }

  /** Restores configuration and mappings; the interrupt router restores its own levels. */
  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, `pci.${this.name}`, 1);
    this.config.restore(state.config as Uint8Array);
    this.#interruptRequested = state.interrupt as boolean;
    this.updateMappings();
    this.#driveInterrupt();
    this.configWritten(0, 4);
  }

  #unmap(connection: PciConnection, window: Window): void {
    if (window.kind === "io") connection.ports.detachPorts(window.base!);
    else connection.mmio.detachMmio(physical(window.base!));
    window.base = null;
  }

  /** Where the window should be mapped, or `null`. An address of zero or at the very top is none. */
  #wantedBase(window: Window): number | null {
    const enable = window.kind === "io" ? PCI_COMMAND.ioSpace : PCI_COMMAND.memorySpace;
    if (!(this.command & enable)) return null;
    const value = this.config.read(window.register, 4);
    if (window.kind === "rom" && !(value & 1)) return null;
    const base = (value & -window.sizeBytes) >>> 0;
    const limit = window.kind === "io" ? 0xffff : 0xfffffffe;
    return base === 0 || base + window.sizeBytes - 1 > limit ? null : base;
  }

  #driveInterrupt(): void {
    const status = this.config.read(PCI_HEADER.status, 2) & ~PCI_STATUS.interruptStatus;
    const pending = this.#interruptRequested ? PCI_STATUS.interruptStatus : 0;
    this.config.poke(PCI_HEADER.status, 2, status | pending);
    const disabled = (this.command & PCI_COMMAND.interruptDisable) !== 0;
    this.#connection?.setInterrupt(this.#interruptRequested && !disabled);
  }
}

function checkBar(name: string, bar: PciBar): void {
  if (!Number.isInteger(bar.index) || bar.index < 0 || bar.index > 5) {
    throw new RangeError(`${name}: a BAR's index must be 0 to 5, found ${bar.index}`);
  }
  const [least, most] = bar.kind === "io" ? [4, 256] : [4096, 0x4000_0000];
  const { sizeBytes } = bar;
  if (!(sizeBytes >= least && sizeBytes <= most && (sizeBytes & (sizeBytes - 1)) === 0)) {
    throw new RangeError(
      `${name}: BAR ${bar.index} must be a power of two from ${least} to ${most}, found ${sizeBytes}`,
    );
  }
}

/** The type-0 header as a table. */
function headerRegisters(options: PciFunctionOptions, romBytes: number): PciRegister[] {
  const header = PCI_HEADER;
  const registers: PciRegister[] = [
    { offset: header.vendorId, sizeBytes: 2, name: "Vendor ID", reset: options.vendorId },
    { offset: header.deviceId, sizeBytes: 2, name: "Device ID", reset: options.deviceId },
    {
      offset: header.command,
      sizeBytes: 2,
      name: "Command",
      reset: options.commandReset ?? 0,
      writable: options.commandWritable ?? EVERY_COMMAND_BIT,
    },
    {
      offset: header.status,
      sizeBytes: 2,
      name: "Status",
      reset: options.statusReset ?? PCI_STATUS.devselMedium,
      clearedByOne: PCI_STATUS.errors,
    },
    {
      offset: header.revisionId,
      sizeBytes: 4,
      name: "Revision ID and Class Code",
      reset: ((options.classCode << 8) | (options.revisionId ?? 0)) >>> 0,
    },
    {
      offset: header.cacheLineSize,
      sizeBytes: 1,
      name: "Cache Line Size",
      reset: 0,
      writable: 0xff,
    },
    { offset: header.latencyTimer, sizeBytes: 1, name: "Latency Timer", reset: 0, writable: 0xff },
    {
      offset: header.headerType,
      sizeBytes: 1,
      name: "Header Type",
      reset: options.multifunction ? 0x80 : 0,
    },
    {
      offset: header.subsystemVendorId,
      sizeBytes: 2,
      name: "Subsystem Vendor ID",
      reset: options.subsystemVendorId ?? 0x1af4,
    },
    {
      offset: header.subsystemId,
      sizeBytes: 2,
      name: "Subsystem ID",
      reset: options.subsystemId ?? 0x1100,
    },
    {
      offset: header.interruptLine,
      sizeBytes: 1,
      name: "Interrupt Line",
      reset: 0,
      writable: 0xff,
    },
    {
      offset: header.interruptPin,
      sizeBytes: 1,
      name: "Interrupt Pin",
      reset: options.interruptPin ?? 0,
    },
  ];
  for (const bar of options.bars ?? []) {
    registers.push({
      offset: header.baseAddress0 + 4 * bar.index,
      sizeBytes: 4,
      name: `Base Address ${bar.index}`,
      reset: bar.kind === "io" ? 1 : bar.prefetchable ? 8 : 0,
      writable: -bar.sizeBytes >>> 0,
    });
  }
  if (romBytes > 0) {
    const writable = (-romBytes | 1) >>> 0;
    registers.push({
      offset: header.expansionRom,
      sizeBytes: 4,
      name: "Expansion ROM Base Address",
      reset: 0,
      writable,
    });
  }
  return registers;
}

function barWindow(bar: PciBar): Window {
  const { sizeBytes, name } = bar;
  const register = PCI_HEADER.baseAddress0 + 4 * bar.index;
  if (bar.kind === "memory") {
    const attach = ({ mmio }: PciConnection, base: number) =>
      mmio.attachMmio(base as PhysicalAddress, sizeBytes, name, bar.device);
    return { register, kind: "memory", sizeBytes, name, attach, base: null };
  }
  const attach = ({ ports }: PciConnection, base: number) =>
    ports.attachPorts(base, base + sizeBytes - 1, name, relativeTo(base, bar.device));
  return { register, kind: "io", sizeBytes, name, attach, base: null };
}

/** `device`, which expects offsets, as seen at absolute ports from `base`. */
function relativeTo(base: number, device: PortDevice): PortDevice {
  return {
    readPort: (port, size) => device.readPort(port - base, size),
    writePort: (port, size, value) => device.writePort(port - base, size, value),
  };
}

function romSize(bytes: number): number {
  let size = 4096;
  while (size < bytes) size *= 2;
  return size;
}

function romWindow(name: string, rom: Uint8Array, sizeBytes: number): Window {
  const device: MmioDevice = {
    readMmio(offset: number, size: MmioSize): number {
      let value = 0;
      for (let byte = 0; byte < size; byte++) value |= (rom[offset + byte] ?? 0xff) << (8 * byte);
      return value >>> 0;
    },
    writeMmio() {},
  };
  const romName = `${name} ROM`;
  const attach = ({ mmio }: PciConnection, base: number) =>
    mmio.attachMmio(base as PhysicalAddress, sizeBytes, romName, device);
  const register = PCI_HEADER.expansionRom;
  return { register, kind: "rom", sizeBytes, name: romName, attach, base: null };
}
