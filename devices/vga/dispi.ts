/**
 * Bochs's display extension: graphics modes by a few 16-bit registers behind an index.
 *
 * SeaBIOS's `vgabios-stdvga` needs it to be there, and Linux's `bochs` driver uses it.
 *
 * Source: Bochs, "VBE Display API" (`vbe_display_api.txt`).
 */

/** Registers by index. */
export const DISPI = {
  id: 0,
  xres: 1,
  yres: 2,
  bpp: 3,
  enable: 4,
  bank: 5,
  virtWidth: 6,
  virtHeight: 7,
  xOffset: 8,
  yOffset: 9,
  videoMemory64k: 10,
} as const;

/** Bits of the enable register. */
export const DISPI_ENABLE = {
  enabled: 0x01,
  getCapabilities: 0x02,
  dac8Bit: 0x20,
  linear: 0x40,
  noClear: 0x80,
} as const;

const ID_LATEST = 0xb0c5;
const ID_FIRST = 0xb0c0;
/** What GETCAPS answers: the largest mode. */
const LIMITS = { xres: 2560, yres: 1600, bpp: 32 } as const;
const REGISTERS = 10;

/** A graphics mode that is on. */
export interface DispiMode {
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  /** Bytes from one line to the next. */
  readonly pitchBytes: number;
  /** The first byte shown. */
  readonly startByte: number;
}

/** What the extension acts on. */
export interface DispiPorts {
  readonly memoryBytes: number;
  /** The 64 KiB bank in the window at A0000h. */
  setBank(bank: number): void;
  setDac8Bit(on: boolean): void;
  clearMemory(): void;
}

/** The registers; see the module comment. */
export class Dispi {
  readonly #ports: DispiPorts;
  readonly #values = new Uint16Array(REGISTERS);
  #index = 0;

  constructor(ports: DispiPorts) {
    this.#ports = ports;
    this.reset();
  }

  get index(): number {
    return this.#index;
  }

  set index(value: number) {
    this.#index = value & 0xffff;
  }

  /** The mode that is on, or `null` while plain VGA is. */
  get mode(): DispiMode | null {
    const values = this.#values;
    if (!(values[DISPI.enable] & DISPI_ENABLE.enabled)) return null;
    const bytesPerPixel = Math.max(1, (values[DISPI.bpp] + 7) >> 3);
    const pitchBytes = values[DISPI.virtWidth] * bytesPerPixel;
    return {
      width: values[DISPI.xres],
      height: values[DISPI.yres],
      bitsPerPixel: values[DISPI.bpp],
      pitchBytes,
      startByte: values[DISPI.yOffset] * pitchBytes + values[DISPI.xOffset] * bytesPerPixel,
    };
  }

  reset(): void {
    this.#values.fill(0);
    this.#values[DISPI.id] = ID_LATEST;
    this.#index = 0;
  }

  /** Reads the register that the index selects. */
  read(): number {
    if (this.#index === DISPI.videoMemory64k) return this.#ports.memoryBytes >> 16;
    if (this.#values[DISPI.enable] & DISPI_ENABLE.getCapabilities) {
      if (this.#index === DISPI.xres) return LIMITS.xres;
      if (this.#index === DISPI.yres) return LIMITS.yres;
      if (this.#index === DISPI.bpp) return LIMITS.bpp;
    }
    return this.#values[this.#index] ?? 0;
  }

  /** Writes the register that the index selects; values out of range are ignored. */
  write(value: number): void {
    const values = this.#values;
    switch (this.#index) {
      case DISPI.id:
        if (value >= ID_FIRST && value <= ID_LATEST) values[DISPI.id] = value;
        break;
      case DISPI.xres:
        if (value <= LIMITS.xres) values[DISPI.xres] = value & ~7;
        break;
      case DISPI.yres:
        if (value <= LIMITS.yres) values[DISPI.yres] = value;
        break;
      case DISPI.bpp:
        if ([4, 8, 15, 16, 24, 32].includes(value)) values[DISPI.bpp] = value;
        break;
      case DISPI.enable:
        this.#writeEnable(value);
        break;
      case DISPI.bank:
        values[DISPI.bank] = value % (this.#ports.memoryBytes >> 16);
        this.#ports.setBank(values[DISPI.bank]);
        break;
      case DISPI.virtWidth:
        values[DISPI.virtWidth] = Math.max(value & ~7, values[DISPI.xres]);
        this.#setVirtualHeight();
        break;
      case DISPI.xOffset:
      case DISPI.yOffset:
        values[this.#index] = value;
        break;
      default: // the virtual height and the amount of memory are read-only
        break;
    }
  }

  save() {
    return { index: this.#index, values: [...this.#values] };
  }

  restore(saved: ReturnType<Dispi["save"]>): void {
    this.#index = saved.index;
    this.#values.set(saved.values);
  }

  #writeEnable(value: number): void {
    const values = this.#values;
    const turnsOn = (value & DISPI_ENABLE.enabled) !== 0 &&
      (values[DISPI.enable] & DISPI_ENABLE.enabled) === 0;
    values[DISPI.enable] = value;
    if (turnsOn) {
      values[DISPI.virtWidth] = values[DISPI.xres];
      values[DISPI.xOffset] = values[DISPI.yOffset] = 0;
      this.#setVirtualHeight();
      if (!(value & DISPI_ENABLE.noClear)) this.#ports.clearMemory();
    }
    values[DISPI.bank] = 0;
    this.#ports.setBank(0);
    this.#ports.setDac8Bit((value & DISPI_ENABLE.dac8Bit) !== 0);
  }

  #setVirtualHeight(): void {
    const values = this.#values;
    const pitch = values[DISPI.virtWidth] * Math.max(1, (values[DISPI.bpp] + 7) >> 3);
    values[DISPI.virtHeight] = pitch === 0
      ? 0
      : Math.min(0xffff, Math.floor(this.#ports.memoryBytes / pitch));
  }
}
