/**
 * Intel's 82540EM gigabit Ethernet controller as a chip: registers, EEPROM, PHY, rings and interrupts.
 *
 * Wiring: `const nic = new E1000({ name: "e1000.0", clock, dma, irq, mac })`, `nic.wire = port` and
 * `port.connect(nic)` for the cable. `E1000Pci` puts it on a bus. Source: Intel, "PCI/PCI-X Family of Gigabit
 * Ethernet Controllers Software Developer's Manual" (8254x manual).
 */

import { type Clock, type Nanoseconds, nanoseconds, type Timer } from "../../core/clock/clock.ts";
import type {
  DmaBus,
  IrqLine,
  MmioDevice,
  MmioSize,
  PortDevice,
  PortSize,
} from "../../core/memory/ports.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { MacAddress } from "../net/addresses.ts";
import { type NetPort, UNPLUGGED } from "../net/net_port.ts";
import {
  eepromImage,
  eerdRead,
  microwireReset,
  type MicrowireState,
  readEecd,
  writeEecd,
} from "./eeprom.ts";
import { ICR, InterruptBlock } from "./interrupts.ts";
import { MDIC, Phy } from "./phy.ts";
import { Receiver } from "./receive.ts";
import { RCTL } from "./receive_filter.ts";
import { REGISTER, registerAt, RegisterFile, type RegisterName } from "./registers.ts";
import { countTransmitted, readCounter } from "./statistics.ts";
import { Transmitter } from "./transmit.ts";

/** What a card needs. */
export interface E1000Options {
  /** Names the timers (`NAME.transmit`, `NAME.itr`); unique in the machine. */
  readonly name: string;
  readonly clock: Clock;
  readonly dma: DmaBus;
  readonly irq: IrqLine;
  readonly mac: MacAddress;
  /** From the write of TDT to the descriptors' work, for each 64 of them; default 2 us. */
  readonly transmitDelayNs?: Nanoseconds;
  /** Tells whether the card may master the bus; default: it may. */
  readonly busMaster?: () => boolean;
}

/** Bits of CTRL. */
const CTRL = {
  RST: 1 << 26,
  PHY_RST: 1 << 31,
} as const;
/** Bit of CTRL_EXT: reload the EEPROM. */
const CTRL_EXT_EE_RST = 1 << 13;
/** STATUS: full duplex, 1000 Mb/s (speed and its auto-detection); LU says that the link is up. */
const STATUS_FIXED = 0x00000281;
const STATUS_LU = 1 << 1;
const RAH_ADDRESS_VALID = 0x80000000;

/** The I/O BAR: two registers that reach all others (section 13.2.2.2, "I/O-Mapped Internal Registers"). */
const IO = { IOADDR: 0, IODATA: 4 } as const;

type SpecialRead = (nic: Internals) => number;
type SpecialWrite = (nic: Internals, value: number) => void;

/** What the handlers of special registers work on. */
interface Internals {
  readonly registers: RegisterFile;
  readonly interrupts: InterruptBlock;
  readonly phy: Phy;
  readonly eeprom: Uint16Array;
  readonly microwire: MicrowireState;
  reset(): void;
  loadAddress(): void;
  receiverChanged(): void;
  transmitterChanged(): void;
}

/** Registers whose read does more than return what was stored. */
const READS: Partial<Record<RegisterName, SpecialRead>> = {
  STATUS: ({ phy }) => STATUS_FIXED | (phy.linkUp ? STATUS_LU : 0),
  EECD: ({ microwire }) => readEecd(microwire),
  EERD: ({ registers, eeprom }) => eerdRead(eeprom, registers.get(REGISTER.EERD)),
  ICR: ({ interrupts }) => interrupts.readCause(),
  ICS: () => 0,
  IMC: () => 0,
  IMS: ({ interrupts }) => interrupts.mask,
  ITR: ({ interrupts }) => interrupts.throttle,
};

/** Registers whose write does more than store. */
const WRITES: Partial<Record<RegisterName, SpecialWrite>> = {
  CTRL: (nic, value) => {
    if (value & CTRL.RST) return nic.reset();
    if (value & CTRL.PHY_RST) nic.phy.reset();
    nic.registers.set(REGISTER.CTRL, value & ~CTRL.PHY_RST);
  },
  STATUS: () => {},
  EECD: ({ microwire, eeprom }, value) => writeEecd(microwire, eeprom, value),
  EERD: ({ registers }, value) => registers.set(REGISTER.EERD, value),
  CTRL_EXT: (nic, value) => {
    nic.registers.set(REGISTER.CTRL_EXT, value & ~CTRL_EXT_EE_RST);
    if (value & CTRL_EXT_EE_RST) nic.loadAddress();
  },
  MDIC: ({ registers, phy, interrupts }, value) => {
    registers.set(REGISTER.MDIC, phy.command(value));
    if (value & MDIC.INTERRUPT) interrupts.raise(ICR.MDAC);
  },
  ICR: ({ interrupts }, value) => interrupts.clearCause(value),
  ICS: ({ interrupts }, value) => interrupts.raise(value),
  IMS: ({ interrupts }, value) => interrupts.enable(value),
  IMC: ({ interrupts }, value) => interrupts.disable(value),
  ITR: ({ interrupts }, value) => interrupts.setThrottle(value),
  RCTL: (nic, value) => {
    nic.registers.set(REGISTER.RCTL, value);
    nic.receiverChanged();
  },
  RDT: (nic, value) => {
    nic.registers.set(REGISTER.RDT, value & 0xffff);
    nic.receiverChanged();
  },
  TCTL: (nic, value) => {
    nic.registers.set(REGISTER.TCTL, value);
    nic.transmitterChanged();
  },
  TDT: (nic, value) => {
    nic.registers.set(REGISTER.TDT, value & 0xffff);
    nic.transmitterChanged();
  },
};

/** The card. It is the {@link NetPort} that the switch sends to, and the device behind BAR 0. */
export class E1000 implements NetPort, MmioDevice, Snapshot {
  readonly mac: MacAddress;
  /** The device behind the I/O BAR; ports count from its start. */
  readonly ioPorts: PortDevice = {
    readPort: (port, size) => this.#readIo(port, size),
    writePort: (port, size, value) => this.#writeIo(port, size, value),
  };
  /** Where frames go. */
  wire: NetPort = UNPLUGGED;
  readonly #registers = new RegisterFile();
  readonly #interrupts: InterruptBlock;
  readonly #phy = new Phy();
  readonly #eeprom: Uint16Array;
  readonly #transmitter: Transmitter;
  readonly #receiver: Receiver;
  readonly #timer: Timer;
  readonly #transmitDelayNs: Nanoseconds;
  readonly #busMaster: () => boolean;
  readonly #internals: Internals;
  #microwire = microwireReset();
  #ioAddress = 0;

  constructor(options: E1000Options) {
    const { name, clock, dma } = options;
    this.mac = options.mac;
    this.#eeprom = eepromImage(options.mac);
    this.#interrupts = new InterruptBlock(name, clock, options.irq);
    this.#transmitter = new Transmitter(this.#registers, dma, (frame) => this.#transmitted(frame));
    this.#receiver = new Receiver(this.#registers, dma);
    this.#timer = clock.createTimer(`${name}.transmit`, () => this.#transmit());
    this.#transmitDelayNs = options.transmitDelayNs ?? nanoseconds(2_000);
    this.#busMaster = options.busMaster ?? (() => true);
    this.#internals = this.#createInternals();
    this.reset();
  }

  /** Whether the cable is plugged in. */
  get linkUp(): boolean {
    return this.#phy.linkUp;
  }

  /** Plugs the cable in or pulls it, and tells the driver by LSC. */
  set linkUp(up: boolean) {
    if (up === this.#phy.linkUp) return;
    this.#phy.linkUp = up;
    this.#interrupts.raise(ICR.LSC);
  }

  /** The state after power-on and after CTRL.RST; the PHY and the EEPROM's pins keep theirs. */
  reset(): void {
    this.#timer.disarm();
    this.#registers.reset();
    this.#interrupts.reset();
    this.#transmitter.reset();
    this.#receiver.reset();
    this.#loadAddress();
  }

  /** A reset of the whole machine. */
  powerOn(): void {
    this.#phy.reset();
    this.#microwire = microwireReset();
    this.#ioAddress = 0;
    this.reset();
  }

  /** A frame arrives on the wire. */
  send(frame: Uint8Array): void {
    if (!this.#phy.linkUp || !this.#busMaster()) return;
    this.#raise(this.#receiver.receive(frame));
  }

  readMmio(offset: number, size: MmioSize): number {
    const value = this.#readRegister(offset & ~3) >>> (8 * (offset & 3));
    return size === 4 ? value : value & (2 ** (8 * size) - 1);
  }

  /** Registers are 32 bits wide; narrower writes are ignored (section 13.2, "Register Conventions"). */
  writeMmio(offset: number, size: MmioSize, value: number): void {
    if (size === 4 && (offset & 3) === 0) this.#writeRegister(offset, value >>> 0);
  }

  save(): SnapshotRecord {
    return {
      kind: "e1000",
      version: 1,
      state: {
        registers: this.#registers.save(),
        interrupts: this.#interrupts.save(),
        phy: this.#phy.save(),
        microwire: { ...this.#microwire },
        transmitter: this.#transmitter.save(),
        receiver: this.#receiver.save(),
        ioAddress: this.#ioAddress,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "e1000", 1) as unknown as SavedE1000;
    this.#registers.restore(state.registers);
    this.#interrupts.restore(state.interrupts);
    this.#phy.restore(state.phy);
    this.#microwire = { ...state.microwire };
    this.#transmitter.restore(state.transmitter);
    this.#receiver.restore(state.receiver);
    this.#ioAddress = state.ioAddress;
  }

  #createInternals(): Internals {
    const microwire = () => this.#microwire;
    return {
      registers: this.#registers,
      interrupts: this.#interrupts,
      phy: this.#phy,
      eeprom: this.#eeprom,
      get microwire() {
        return microwire();
      },
      reset: () => this.reset(),
      loadAddress: () => this.#loadAddress(),
      receiverChanged: () => this.#receiverChanged(),
      transmitterChanged: () => this.#transmitterChanged(),
    };
  }

  #readRegister(offset: number): number {
    const slot = registerAt(offset);
    if (!slot) return 0;
    const { name, access } = slot.row;
    if (access === "rc") return readCounter(this.#registers, offset);
    if (access === "wo") return 0;
    const read = access === "special" ? READS[name as RegisterName] : undefined;
    return (read ? read(this.#internals) : this.#registers.get(offset)) >>> 0;
  }

  #writeRegister(offset: number, value: number): void {
    const slot = registerAt(offset);
    if (!slot) return;
    const { name, access, writable } = slot.row;
    if (access === "special") WRITES[name as RegisterName]?.(this.#internals, value);
    else if (access !== "ro" && access !== "rc") this.#registers.write(offset, value, writable);
  }

  #readIo(port: number, size: PortSize): number {
    if (port === IO.IOADDR) return this.#ioAddress;
    return port === IO.IODATA && size === 4 ? this.#readRegister(this.#ioAddress & 0x1fffc) : 0;
  }

  #writeIo(port: number, size: PortSize, value: number): void {
    if (size !== 4) return;
    if (port === IO.IOADDR) this.#ioAddress = value >>> 0;
    else if (port === IO.IODATA) this.#writeRegister(this.#ioAddress & 0x1fffc, value >>> 0);
  }

  /** The EEPROM's address goes to the first receive address. */
  #loadAddress(): void {
    const [first, second, third] = this.#eeprom;
    this.#registers.set(REGISTER.RAL, first | (second << 16));
    this.#registers.set(REGISTER.RAH, third | RAH_ADDRESS_VALID);
  }

  #receiverChanged(): void {
    if (this.#busMaster()) this.#raise(this.#receiver.drain());
  }

  #transmitterChanged(): void {
    if (this.#transmitter.pending && this.#timer.deadline === null) {
      this.#timer.armIn(this.#transmitDelayNs);
    }
  }

  #transmit(): void {
    if (!this.#busMaster()) return;
    this.#raise(this.#transmitter.step());
    this.#transmitterChanged();
  }

  #transmitted(frame: Uint8Array): void {
    countTransmitted(this.#registers, frame);
    if (this.#registers.get(REGISTER.RCTL) & RCTL.LBM) this.#raise(this.#receiver.receive(frame));
    else if (this.#phy.linkUp) this.wire.send(frame);
  }

  #raise(causes: number): void {
    if (causes) this.#interrupts.raise(causes);
  }
}

interface SavedE1000 {
  readonly registers: ReturnType<RegisterFile["save"]>;
  readonly interrupts: ReturnType<InterruptBlock["save"]>;
  readonly phy: ReturnType<Phy["save"]>;
  readonly microwire: MicrowireState;
  readonly transmitter: ReturnType<Transmitter["save"]>;
  readonly receiver: ReturnType<Receiver["save"]>;
  readonly ioAddress: number;
}
