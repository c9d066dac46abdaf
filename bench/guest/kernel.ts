/** What a measured kernel is: a subroutine of the guest image, and how its time is told. */

/** Words of assembly that differ between 32-bit and 64-bit images. */
export interface Dialect {
  readonly bits: 32 | 64;
  /** Directive for a pointer: `dd` or `dq`. */
  readonly pointer: string;
  readonly pointerBytes: number;
}

/** One measured kernel. */
export interface Kernel {
  readonly name: string;
  /** Million instructions per second, or time per round of `rounds`. */
  readonly unit: "MIPS" | "ns";
  /** Iterations of the outermost loop at scale 1. */
  readonly rounds: number;
  /** Whether a faster engine may be given more rounds; false where what is measured is the first round. */
  readonly scales: boolean;
  /** In which images it stands. */
  readonly bits: readonly (32 | 64)[];
  /** Preparation whose time does not count; ends by falling through. */
  prepare?(dialect: Dialect): string;
  /**
   * Assembly that ends by falling through. Labels are local (`.x`); `$ax`, `$si` and so on are registers of
   * pointer width. All registers but the stack pointer are its own.
   */
  body(rounds: number, dialect: Dialect): string;
  /** Data, read-only code and handlers, with global labels. */
  data?(dialect: Dialect): string;
}

/** Physical addresses that image and kernels share; 64 MiB are mapped one to one in pages of 4 KiB. */
export const Place = {
  image: 0x10_0000,
  pageTables: 0x20_0000,
  buffer: 0x30_0000,
  buffer2: 0x38_0000,
  stackTop: 0x48_0000,
  userStackTop: 0x4c_0000,
  /** 16 MiB, one node of a cyclic list in each page. */
  chase: 0x100_0000,
  coldCode: 0x200_0000,
  faultPage: 0x300_0000,
} as const;

export const MEMORY_MIB = 64;
