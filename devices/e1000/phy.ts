/**
 * The internal PHY, which answers as an M88E1000 at address 1, and MDIC, the register that reaches it
 * (8254x manual, sections 13.4.7 "MDI Control Register" and 13.5 "PHY Registers"; IEEE 802.3, clause 22).
 *
 * @deviation Auto-negotiation takes no time: the link is always 1000 Mb/s, full duplex, with PAUSE.
 */

/** Bits and fields of MDIC. */
export const MDIC = {
  DATA: 0xffff,
  REGISTER_SHIFT: 16,
  PHY_SHIFT: 21,
  OP_WRITE: 0x04000000,
  OP_READ: 0x08000000,
  READY: 0x10000000,
  /** Interrupt when ready. */
  INTERRUPT: 0x20000000,
  ERROR: 0x40000000,
} as const;

const PHY_ADDRESS = 1;

/** Register numbers. */
const PHY = {
  PCTRL: 0,
  PSTATUS: 1,
  PID: 2,
  EPID: 3,
  ANA: 4,
  LPA: 5,
  ANE: 6,
  NPT: 7,
  GCON: 9,
  GSTATUS: 10,
  ESTATUS: 15,
  PSCON: 16,
  PSSTAT: 17,
  PINTE: 18,
  EPSCON1: 20,
  PAGE_SELECT: 29,
  PAGE_DATA: 30,
} as const;

/** Bits of PCTRL that clear themselves. */
const RESET = 0x8000;
const RESTART_AUTO_NEGOTIATION = 0x0200;
/** Link bits of PSTATUS and PSSTAT. */
const PSTATUS_LINK = 0x0004;
const PSTATUS_AUTO_NEGOTIATION_COMPLETE = 0x0020;
const PSSTAT_LINK_1000_FULL = 0xac00;

/** Registers that keep something: value after reset, and whether software may write. */
const PHY_REGISTERS: readonly (readonly [number: number, reset: number, writable: boolean])[] = [
  [PHY.PCTRL, 0x1140, true],
  [PHY.PSTATUS, 0x7949, false],
  [PHY.PID, 0x0141, false],
  [PHY.EPID, 0x0c20, false],
  [PHY.ANA, 0x0de1, true],
  [PHY.LPA, 0xcde1, false],
  [PHY.ANE, 0x0003, false],
  [PHY.NPT, 0x2001, true],
  [PHY.GCON, 0x0e00, true],
  [PHY.GSTATUS, 0x3c00, false],
  [PHY.ESTATUS, 0x3000, false],
  [PHY.PSCON, 0x0360, true],
  [PHY.PSSTAT, 0x0000, false],
  [PHY.PINTE, 0x0000, true],
  [PHY.EPSCON1, 0x0d60, true],
  [PHY.PAGE_SELECT, 0x0000, true],
  [PHY.PAGE_DATA, 0x0000, true],
];

/** The PHY's state. */
export class Phy {
  readonly #registers = new Uint16Array(32);
  #linkUp = true;
  /** PSTATUS's link bit stays low after a loss until it is read. */
  #linkWasLost = false;

  constructor() {
    this.reset();
  }

  get linkUp(): boolean {
    return this.#linkUp;
  }

  /** The cable was plugged in or pulled. */
  set linkUp(up: boolean) {
    if (!up) this.#linkWasLost = true;
    this.#linkUp = up;
  }

  reset(): void {
    for (const [number, reset] of PHY_REGISTERS) this.#registers[number] = reset;
  }

  /** Runs the command written to MDIC; returns what MDIC reads afterwards. */
  command(value: number): number {
    const done = (value & ~MDIC.ERROR) | MDIC.READY;
    if (((value >>> MDIC.PHY_SHIFT) & 0x1f) !== PHY_ADDRESS) return (done | MDIC.ERROR) >>> 0;
    const number = (value >>> MDIC.REGISTER_SHIFT) & 0x1f;
    if (value & MDIC.OP_WRITE) this.write(number, value & MDIC.DATA);
    else if (value & MDIC.OP_READ) return ((done & ~MDIC.DATA) | this.read(number)) >>> 0;
    return done >>> 0;
  }

  read(number: number): number {
    const value = this.#registers[number];
    if (number === PHY.PSTATUS) {
      const up = this.#linkUp && !this.#linkWasLost;
      this.#linkWasLost = false;
      return value | (up ? PSTATUS_LINK : 0) |
        (this.#linkUp ? PSTATUS_AUTO_NEGOTIATION_COMPLETE : 0);
    }
    if (!this.#linkUp && (number === PHY.LPA || number === PHY.GSTATUS)) return 0;
    if (number === PHY.PSSTAT) return this.#linkUp ? PSSTAT_LINK_1000_FULL : 0;
    return value;
  }

  write(number: number, value: number): void {
    const row = PHY_REGISTERS.find(([known]) => known === number);
    if (!row?.[2]) return;
    if (number !== PHY.PCTRL) {
      this.#registers[number] = value;
    } else if (value & RESET) this.reset();
    else this.#registers[number] = value & ~RESTART_AUTO_NEGOTIATION;
  }

  save() {
    return {
      registers: [...this.#registers],
      linkUp: this.#linkUp,
      linkWasLost: this.#linkWasLost,
    };
  }

  restore(state: ReturnType<Phy["save"]>): void {
    this.#registers.set(state.registers);
    this.#linkUp = state.linkUp;
    this.#linkWasLost = state.linkWasLost;
  }
}
