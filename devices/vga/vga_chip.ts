/**
 * A VGA as software sees it at its ports: sequencer, CRT controller, graphics and attribute controllers, DAC.
 *
 * After reset it shows text mode 3 (80 by 25), as firmware would leave it, so that a kernel that starts
 * without firmware has a screen.
 *
 * Source: IBM Personal System/2 Hardware Interface Technical Reference, "Video Subsystem".
 */

import type { Clock } from "../../core/clock/clock.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { Dispi } from "./dispi.ts";
import { readTextScreen, type TextScreen } from "./text_screen.ts";
import { VgaMemory } from "./vga_memory.ts";
import { VgaPalette } from "./vga_palette.ts";
import {
  ATTRIBUTE,
  CRTC,
  GRAPHICS,
  MISC_MODE_3,
  RegisterFile,
  SEQUENCER,
} from "./vga_registers.ts";
import { beam, vgaTiming } from "./vga_timing.ts";

/** Ports of the colour half; those at 3D4h to 3DAh are at 3B4h to 3BAh in monochrome modes. */
const PORT = {
  attribute: 0x3c0,
  attributeRead: 0x3c1,
  /** Miscellaneous Output on writes, Input Status 0 on reads. */
  misc: 0x3c2,
  enable: 0x3c3,
  sequencerIndex: 0x3c4,
  sequencerData: 0x3c5,
  pelMask: 0x3c6,
  dacReadIndex: 0x3c7,
  dacWriteIndex: 0x3c8,
  dacData: 0x3c9,
  featureRead: 0x3ca,
  miscRead: 0x3cc,
  graphicsIndex: 0x3ce,
  graphicsData: 0x3cf,
  crtcIndex: 0x3d4,
  crtcData: 0x3d5,
  /** Input Status 1 on reads, Feature Control on writes. */
  status1: 0x3da,
} as const;

const MISC = { color: 0x01, memory: 0x02 } as const;
const STATUS_1 = { blank: 0x01, verticalRetrace: 0x08 } as const;
/** Bit 7 of Vertical Retrace End protects CRTC registers 0 to 7. */
const PROTECT = { register: 0x11, bit: 0x80, last: 0x07, overflow: 0x07, lineCompare8: 0x10 };
/** Bit 5 of the attribute controller's index: the palette is shown, not loaded. */
const PALETTE_SHOWN = 0x20;

/** How a VGA is set up. */
export interface VgaOptions {
  readonly clock: Clock;
  /** Display memory: a power of two from 256 KiB; default 16 MiB. */
  readonly memoryBytes?: number;
}

/** The chip; see the module comment. */
export class VgaChip implements Snapshot {
  readonly sequencer = new RegisterFile(SEQUENCER);
  readonly graphics = new RegisterFile(GRAPHICS);
  readonly attribute = new RegisterFile(ATTRIBUTE);
  readonly crtc = new RegisterFile(CRTC);
  readonly palette = new VgaPalette();
  readonly memory: VgaMemory;
  readonly dispi: Dispi;
  readonly #clock: Clock;
  #misc = MISC_MODE_3;
  #feature = 0;
  #enabled = 1;
  /** The next write to 3C0h is data, not an index. */
  #attributeData = false;
  #paletteShown = PALETTE_SHOWN;

  /** Throws `RangeError` if the size of the display memory is not one of those accepted. */
  constructor(options: VgaOptions) {
    this.#clock = options.clock;
    const { sequencer, graphics, palette } = this;
    this.memory = new VgaMemory(
      options.memoryBytes ?? 16 << 20,
      sequencer.values,
      graphics.values,
    );
    this.dispi = new Dispi({
      memoryBytes: this.memory.buffer.bytes.length,
      setBank: (bank) => this.memory.bankBytes = bank << 16,
      setDac8Bit: (on) => palette.wide = on,
      clearMemory: () => this.memory.buffer.clear(),
    });
    this.#blankText();
  }

  /** Whether the window at A0000h answers. */
  get memoryEnabled(): boolean {
    return (this.#misc & MISC.memory) !== 0;
  }

  /** The text screen, or `null` in a graphics mode. */
  get textScreen(): TextScreen | null {
    const graphicsMode = (this.graphics.values[6] & 1) !== 0;
    if (graphicsMode || this.dispi.mode) return null;
    return readTextScreen(this.crtc.values, this.memory.buffer.bytes);
  }

  /** Back to text mode 3 with a blank screen. */
  reset(): void {
    for (const file of [this.sequencer, this.graphics, this.attribute, this.crtc]) file.reset();
    this.palette.reset();
    this.memory.reset();
    this.dispi.reset();
    this.#misc = MISC_MODE_3;
    this.#feature = 0;
    this.#enabled = 1;
    this.#attributeData = false;
    this.#paletteShown = PALETTE_SHOWN;
    this.#blankText();
  }

  /** Reads the byte at `port`, 3B0h to 3DFh. */
  readByte(port: number): number {
    switch (this.#normalized(port)) {
      case PORT.attribute:
        return this.#attributeData ? 0 : this.attribute.index | this.#paletteShown;
      case PORT.attributeRead:
        return this.attribute.read();
      case PORT.misc:
        return 0;
      case PORT.enable:
        return this.#enabled;
      case PORT.sequencerIndex:
        return this.sequencer.index;
      case PORT.sequencerData:
        return this.sequencer.read();
      case PORT.graphicsIndex:
        return this.graphics.index;
      case PORT.graphicsData:
        return this.graphics.read();
      case PORT.crtcIndex:
        return this.crtc.index;
      case PORT.crtcData:
        return this.crtc.read();
      case PORT.featureRead:
        return this.#feature;
      case PORT.miscRead:
        return this.#misc;
      case PORT.status1:
        return this.#readStatus1();
      default:
        return this.#readDac(port);
    }
  }

  /** Writes the byte at `port`, 3B0h to 3DFh. */
  writeByte(port: number, value: number): void {
    switch (this.#normalized(port)) {
      case PORT.attribute:
        return this.#writeAttribute(value);
      case PORT.misc:
        this.#misc = value;
        return;
      case PORT.enable:
        this.#enabled = value & 1;
        return;
      case PORT.sequencerIndex:
        this.sequencer.index = value & 0x07;
        return;
      case PORT.sequencerData:
        return this.sequencer.write(value);
      case PORT.graphicsIndex:
        this.graphics.index = value & 0x0f;
        return;
      case PORT.graphicsData:
        return this.graphics.write(value);
      case PORT.crtcIndex:
        this.crtc.index = value & 0x3f;
        return;
      case PORT.crtcData:
        return this.#writeCrtc(value);
      case PORT.status1:
        this.#feature = value & 0x03;
        return;
      default:
        return this.#writeDac(port, value);
    }
  }

  save(): SnapshotRecord {
    return {
      kind: "vga",
      version: 1,
      state: {
        sequencer: this.sequencer.save(),
        graphics: this.graphics.save(),
        attribute: this.attribute.save(),
        crtc: this.crtc.save(),
        palette: this.palette.save(),
        memory: this.memory.save(),
        dispi: this.dispi.save(),
        misc: this.#misc,
        feature: this.#feature,
        enabled: this.#enabled,
        attributeData: this.#attributeData,
        paletteShown: this.#paletteShown,
      },
    };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "vga", 1);
    type Saved<T extends { save(): unknown }> = ReturnType<T["save"]>;
    this.sequencer.restore(state.sequencer as unknown as Saved<RegisterFile>);
    this.graphics.restore(state.graphics as unknown as Saved<RegisterFile>);
    this.attribute.restore(state.attribute as unknown as Saved<RegisterFile>);
    this.crtc.restore(state.crtc as unknown as Saved<RegisterFile>);
    this.palette.restore(state.palette as unknown as Saved<VgaPalette>);
    this.memory.restore(state.memory as unknown as Saved<VgaMemory>);
    this.dispi.restore(state.dispi as unknown as Saved<Dispi>);
    this.#misc = state.misc as number;
    this.#feature = state.feature as number;
    this.#enabled = state.enabled as number;
    this.#attributeData = state.attributeData as boolean;
    this.#paletteShown = state.paletteShown as number;
  }

  /** A port of the half that is switched on, by its colour number; 0 for the other half. */
  #normalized(port: number): number {
    if (port >= 0x3c0 && port < 0x3d0) return port;
    const color = port >= 0x3d0;
    if (color !== ((this.#misc & MISC.color) !== 0)) return 0;
    return color ? port : port + 0x20;
  }

  #readStatus1(): number {
    this.#attributeData = false;
    const timing = vgaTiming(this.crtc.values, this.sequencer.values[1], this.#misc);
    const { blank, retrace } = beam(timing, this.#clock);
    return (blank ? STATUS_1.blank : 0) | (retrace ? STATUS_1.verticalRetrace : 0);
  }

  #writeAttribute(value: number): void {
    if (this.#attributeData) {
      this.attribute.write(value);
    } else {
      this.attribute.index = value & 0x1f;
      this.#paletteShown = value & PALETTE_SHOWN;
    }
    this.#attributeData = !this.#attributeData;
  }

  #writeCrtc(value: number): void {
    const { crtc } = this;
    const isProtected = (crtc.values[PROTECT.register] & PROTECT.bit) !== 0 &&
      crtc.index <= PROTECT.last;
    if (!isProtected) return crtc.write(value);
    if (crtc.index !== PROTECT.overflow) return;
    const kept = crtc.values[PROTECT.overflow] & ~PROTECT.lineCompare8;
    crtc.write(kept | (value & PROTECT.lineCompare8));
  }

  #readDac(port: number): number {
    switch (port) {
      case PORT.pelMask:
        return this.palette.mask;
      case PORT.dacReadIndex:
        return this.palette.state;
      case PORT.dacWriteIndex:
        return this.palette.writeIndex;
      case PORT.dacData:
        return this.palette.readData();
      default:
        return 0xff;
    }
  }

  #writeDac(port: number, value: number): void {
    switch (port) {
      case PORT.pelMask:
        this.palette.mask = value;
        return;
      case PORT.dacReadIndex:
        return this.palette.setReadIndex(value);
      case PORT.dacWriteIndex:
        return this.palette.setWriteIndex(value);
      case PORT.dacData:
        return this.palette.writeData(value);
      default:
        return;
    }
  }

  /** Blanks in grey on black. */
  #blankText(): void {
    for (let cell = 0; cell < 80 * 25; cell++) {
      this.memory.buffer.store(4 * cell, 0x20);
      this.memory.buffer.store(4 * cell + 1, 0x07);
    }
  }
}
