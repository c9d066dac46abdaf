/** Bits and numbers with the manual's names (SDM vol. 3, "System Architecture Overview"). */

/** Exception vectors by their mnemonics. */
export const Exception = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

export const Eflags = {
  CF: 0x1,
  PF: 0x4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x10000,
  VM: 0x20000,
  AC: 0x40000,
  VIF: 0x80000,
  VIP: 0x100000,
  ID: 0x200000,
} as const;

/** The flags that the state keeps as flag sources. */
export const STATUS_FLAGS: number = Eflags.CF | Eflags.PF | Eflags.AF | Eflags.ZF | Eflags.SF |
  Eflags.OF;

export const Cr0 = {
  PE: 0x1,
  MP: 0x2,
  EM: 0x4,
  TS: 0x8,
  ET: 0x10,
  NE: 0x20,
  WP: 0x10000,
  AM: 0x40000,
  NW: 0x20000000,
  CD: 0x40000000,
  PG: 0x80000000 | 0,
} as const;

export const Cr4 = {
  VME: 0x1,
  PVI: 0x2,
  TSD: 0x4,
  DE: 0x8,
  PSE: 0x10,
  PAE: 0x20,
  MCE: 0x40,
  PGE: 0x80,
  PCE: 0x100,
  OSFXSR: 0x200,
  OSXMMEXCPT: 0x400,
  UMIP: 0x800,
  VMXE: 0x2000,
  FSGSBASE: 0x10000,
  PCIDE: 0x20000,
  OSXSAVE: 0x40000,
  SMEP: 0x100000,
  SMAP: 0x200000,
} as const;

export const Efer = {
  SCE: 0x1,
  LME: 0x100,
  LMA: 0x400,
  NXE: 0x800,
  SVME: 0x1000,
  FFXSR: 0x4000,
} as const;

/** Bits of a segment's attributes: descriptor bits 55..40 shifted down. */
export const Attribute = {
  /** Type field: accessed, writable/readable, expand-down/conforming, code. */
  accessed: 0x1,
  readWrite: 0x2,
  expandDownOrConforming: 0x4,
  code: 0x8,
  /** S: code or data (1) or system (0). */
  codeOrData: 0x10,
  dpl: 0x60,
  present: 0x80,
  available: 0x1000,
  long: 0x2000,
  big: 0x4000,
  granularity: 0x8000,
} as const;
