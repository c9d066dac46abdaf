/** GDT, LDT and IDT of a CPU, decoded. Source: SDM volume 3, "Segment Descriptors" and "IDT Descriptors". */

import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { Attribute, Efer } from "../../core/x86/state/bits.ts";
import { offsetOf } from "../../core/x86/state/layout.ts";
import { attributesOf, baseOf, limitOf } from "../../core/x86/system/segment_fields.ts";
import { table } from "../tables.ts";
import type { ReadLinear } from "./back_trace.ts";
import type { Symbols } from "./symbols.ts";

/** A descriptor of the GDT or LDT. */
export interface SegmentDescriptorView {
  readonly selector: number;
  /** `code`, `data`, `TSS`, `LDT`, `call gate` … */
  readonly type: string;
  readonly base: bigint;
  readonly limit: number;
  readonly dpl: number;
  readonly present: boolean;
  /** 16, 32 or 64 for code and data. */
  readonly bits: number | null;
}

/** A gate of the IDT. */
export interface GateView {
  readonly vector: number;
  readonly type: string;
  readonly selector: number;
  readonly offset: bigint;
  readonly dpl: number;
  readonly present: boolean;
  /** Interrupt stack table entry; 0: none. */
  readonly ist: number;
}

/** The tables of one CPU; null descriptors and gates that are all zero are left out. */
export interface DescriptorTables {
  readonly gdt: {
    readonly base: bigint;
    readonly limit: number;
    readonly entries: readonly SegmentDescriptorView[];
  };
  readonly ldt: {
    readonly base: bigint;
    readonly limit: number;
    readonly entries: readonly SegmentDescriptorView[];
  };
  readonly idt: {
    readonly base: bigint;
    readonly limit: number;
    readonly gates: readonly GateView[];
  };
}

/** System descriptor types by number; those of long mode that have a name of their own follow. */
const SYSTEM_TYPES = [
  "reserved",
  "16-bit TSS",
  "LDT",
  "busy 16-bit TSS",
  "16-bit call gate",
  "task gate",
  "16-bit interrupt gate",
  "16-bit trap gate",
  "reserved",
  "TSS",
  "reserved",
  "busy TSS",
  "call gate",
  "reserved",
  "interrupt gate",
  "trap gate",
];
const LDT_SELECTOR = 4;
const VECTORS = 256;
const LDTR = offsetOf("ldtrSelector") >> 2;

/** Reads and decodes the tables. */
export function descriptorTables({ state }: CpuLook, read: ReadLinear): DescriptorTables {
  const wide = (state.efer & Efer.LMA) !== 0;
  const segments = (base: bigint, limit: number, selectorBits: number) => ({
    base: BigInt.asUintN(64, base),
    limit,
    entries: segmentDescriptors(read(base, limit + 1), selectorBits, wide),
  });
  // After reset LDTR is null and yet has a limit, over memory that nobody made a table of.
  const hasLdt = state.ldtrAccess !== 0 && state.u32[LDTR] >> 2 !== 0;
  return {
    gdt: segments(state.gdtrBase, state.gdtrLimit, 0),
    ldt: segments(state.ldtrBase, hasLdt ? state.ldtrLimit : -1, LDT_SELECTOR),
    idt: {
      base: BigInt.asUintN(64, state.idtrBase),
      limit: state.idtrLimit,
      gates: gates(read(state.idtrBase, Math.min(state.idtrLimit + 1, VECTORS * 16)), wide),
    },
  };
}

function segmentDescriptors(
  bytes: Uint8Array,
  selectorBits: number,
  wide: boolean,
): SegmentDescriptorView[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: SegmentDescriptorView[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    const [low, high] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const descriptor = { low, high, address: at };
    if ((low | high) === 0) continue;
    const attributes = attributesOf(descriptor);
    const isSystem = (attributes & Attribute.codeOrData) === 0;
    const isWide = isSystem && wide && at + 16 <= bytes.length;
    const above = isWide ? BigInt(view.getUint32(at + 8, true)) << 32n : 0n;
    found.push({
      selector: at | selectorBits,
      type: isSystem ? SYSTEM_TYPES[attributes & 15] : typeOf(attributes),
      base: above | BigInt(baseOf(descriptor)),
      limit: limitOf(descriptor),
      dpl: (attributes & Attribute.dpl) >> 5,
      present: (attributes & Attribute.present) !== 0,
      bits: isSystem ? null : bitsOfCode(attributes),
    });
    // A system descriptor of long mode takes two places.
    if (isWide) at += 8;
  }
  return found;
}

function typeOf(attributes: number): string {
  const isWritable = (attributes & Attribute.readWrite) !== 0;
  if ((attributes & Attribute.code) === 0) return isWritable ? "data" : "read-only data";
  const conforming = (attributes & Attribute.expandDownOrConforming) !== 0;
  return `${conforming ? "conforming " : ""}code${isWritable ? "" : ", execute-only"}`;
}

function bitsOfCode(attributes: number): number {
  if ((attributes & Attribute.long) !== 0) return 64;
  return (attributes & Attribute.big) !== 0 ? 32 : 16;
}

function gates(bytes: Uint8Array, wide: boolean): GateView[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = wide ? 16 : 8;
  const found: GateView[] = [];
  for (let vector = 0; (vector + 1) * size <= bytes.length; vector++) {
    const at = vector * size;
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    if ((low | high) === 0) continue;
    const above = wide ? BigInt(view.getUint32(at + 8, true)) << 32n : 0n;
    found.push({
      vector,
      type: SYSTEM_TYPES[(high >> 8) & 15],
      selector: low >>> 16,
      offset: above | BigInt(((high & 0xffff0000) | (low & 0xffff)) >>> 0),
      dpl: (high >> 13) & 3,
      present: (high & 0x8000) !== 0,
      ist: wide ? high & 7 : 0,
    });
  }
  return found;
}

const hex = (value: number | bigint) => `0x${value.toString(16)}`;

/** GDT and LDT as tables. */
export function describeSegments({ gdt, ldt }: DescriptorTables): string {
  const list = (name: string, { base, limit, entries }: DescriptorTables["gdt"]) => [
    `${name} at ${hex(base)}, limit ${hex(Math.max(limit, 0))}`,
    table(
      ["selector", "type", "base", "limit", "DPL", "bits", ""],
      entries.map((entry) => [
        hex(entry.selector),
        entry.type,
        hex(entry.base),
        hex(entry.limit),
        entry.dpl,
        entry.bits ?? "",
        entry.present ? "" : "not present",
      ]),
    ),
  ];
  return [...list("GDT", gdt), ...ldt.entries.length > 0 ? list("LDT", ldt) : []].join("\n");
}

/** The IDT as a table, with the names of handlers. */
export function describeGates({ idt }: DescriptorTables, symbols: Symbols): string {
  const rows = idt.gates.map((gate) => [
    gate.vector,
    gate.type,
    `${hex(gate.selector)}:${hex(gate.offset)}`,
    symbols.nameAt(gate.offset) ?? "",
    `DPL ${gate.dpl}${gate.ist ? `, IST ${gate.ist}` : ""}${gate.present ? "" : ", not present"}`,
  ]);
  return `IDT at ${hex(idt.base)}, limit ${hex(idt.limit)}\n` +
    table(["vector", "type", "handler", "", ""], rows);
}
