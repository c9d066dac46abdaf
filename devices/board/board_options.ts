/** What a board is wired to, and what can be chosen about it. */

import type { Clock } from "../../core/clock/clock.ts";
import type { IoSpace } from "../../core/memory/io_space.ts";
import type { MachineMemory } from "../../core/memory/machine_memory.ts";
import type { MessageBus } from "../../core/memory/ports.ts";
import type { DiskImage, ReadonlyBytes } from "../disk/mod.ts";
import type { SwitchPort } from "../net/mod.ts";
import type { PowerControl } from "../power.ts";

/** A network card: what it is called on the wire, and the switch port that it is plugged into. */
export interface NicChoice {
  /** Six bytes in hexadecimal with colons. */
  readonly mac: string;
  readonly port: SwitchPort;
}

/** What a board can be told; everything has a default but the firmware. */
export interface BoardChoices {
  /** `bios`: a ROM is placed and does its work; `none`: `prepareDirectBoot` does it. */
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
  /** Takes the bytes that COM2 sends. */
  readonly com2?: (byte: number) => void;
  /** Takes the bytes that are written to the debug consoles (ports 402h and E9h). */
  readonly debugConsole?: (byte: number) => void;
}

/** The machine around the board, in numbers. */
export interface BoardOptions extends BoardChoices {
  /** The local APICs' ids, the bootstrap processor's first. */
  readonly apicIds: readonly number[];
  readonly ramBytes: number;
  /** RAM below 4 GiB. */
  readonly lowRamBytes: number;
  /** Takes the bytes that COM1 sends. */
  readonly com1: (byte: number) => void;
}

/** What the board is wired to. */
export interface BoardWiring {
  readonly clock: Clock;
  readonly ports: IoSpace;
  readonly memory: MachineMemory;
  /** Interrupt messages to the local APICs. */
  readonly messages: MessageBus;
  /** The 8259 pair's INTR output; whoever takes it asks `board.pic.acknowledge()` for the vector. */
  onInterrupt(high: boolean): void;
  /** The NMI wire; left out, the board has no NMI button. */
  onNmi?(high: boolean): void;
  readonly power: PowerControl;
  /** Address line 20 opened or closed; it is open from the start. */
  onA20(open: boolean): void;
  readonly options: BoardOptions;
}
