/**
 * The palette RAM of the DAC: 256 colours of three times six bits (or eight, in Bochs's extension).
 *
 * Source: IBM Personal System/2 Hardware Interface Technical Reference, "Video Digital-to-Analog Converter".
 */

/** The DAC with its index registers. */
export class VgaPalette {
  /** Red, green and blue of 256 colours. */
  readonly colors = new Uint8Array(768);
  /** Anded with every colour number. */
  mask = 0xff;
  /** 8-bit colours instead of six. */
  wide = false;
  #writeIndex = 0;
  #readIndex = 0;
  #component = 0;
  /** State as 3C7h tells it: 0 after the write index was set, 3 after the read index. */
  #state = 0;

  constructor() {
    this.reset();
  }

  /** The 64 colours of mode 3 (EGA's rgbRGB), the rest black. */
  reset(): void {
    this.colors.fill(0);
    for (let color = 0; color < 64; color++) {
      for (const [component, bright, dark] of [[0, 2, 5], [1, 1, 4], [2, 0, 3]]) {
        this.colors[3 * color + component] = ((color >> bright) & 1) * 0x2a +
          ((color >> dark) & 1) * 0x15;
      }
    }
    this.mask = 0xff;
    this.wide = false;
    this.#writeIndex =
      this.#readIndex =
      this.#component =
      this.#state =
        0;
  }

  get writeIndex(): number {
    return this.#writeIndex;
  }

  get state(): number {
    return this.#state;
  }

  setReadIndex(index: number): void {
    this.#readIndex = index;
    this.#component = 0;
    this.#state = 3;
  }

  setWriteIndex(index: number): void {
    this.#writeIndex = index;
    this.#component = 0;
    this.#state = 0;
  }

  /** The next component at the read index. */
  readData(): number {
    const value = this.colors[3 * this.#readIndex + this.#component];
    if (++this.#component === 3) {
      this.#component = 0;
      this.#readIndex = (this.#readIndex + 1) & 0xff;
    }
    return value;
  }

  /** The next component at the write index. */
  writeData(value: number): void {
    this.colors[3 * this.#writeIndex + this.#component] = this.wide ? value : value & 0x3f;
    if (++this.#component === 3) {
      this.#component = 0;
      this.#writeIndex = (this.#writeIndex + 1) & 0xff;
    }
  }

  /** Colour `index` as 24 bits, red on top. */
  rgb(index: number): number {
    const first = 3 * (index & this.mask);
    const [red, green, blue] = this.colors.subarray(first, first + 3);
    if (this.wide) return (red << 16) | (green << 8) | blue;
    const widen = (six: number) => (six << 2) | (six >> 4);
    return (widen(red) << 16) | (widen(green) << 8) | widen(blue);
  }

  save() {
    return {
      colors: this.colors.slice(),
      mask: this.mask,
      wide: this.wide,
      writeIndex: this.#writeIndex,
      readIndex: this.#readIndex,
      component: this.#component,
      state: this.#state,
    };
  }

  restore(saved: ReturnType<VgaPalette["save"]>): void {
    this.colors.set(saved.colors);
    this.mask = saved.mask;
    this.wide = saved.wide;
    this.#writeIndex = saved.writeIndex;
    this.#readIndex = saved.readIndex;
    this.#component = saved.component;
    this.#state = saved.state;
  }
}
