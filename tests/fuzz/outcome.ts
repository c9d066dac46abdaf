/** What differs between two replies, by name; and how a case reads. */

import { Decoder as IcedDecoder, DecoderOptions, Formatter, FormatterSyntax } from "iced-x86";
import { GENERAL_REGISTERS } from "../../core/x86/state/layout.ts";
import { CODE, COMPLETED, DATA, Reply, Request } from "./host_process.ts";

const REPORTED_DIFFERENCES = 6;
const EXTENDED_BYTES = 10;
const XMM_BYTES = 16;
/** EFLAGS that a program sees change. */
const COMPARED_FLAGS = 0x244cd5;
const PAGE_FAULT = 14;
/** From here on Linux reports a fault as one of protection. */
const KERNEL_ADDRESSES = 0x7fff_ffff_f000n;

/** One difference: what, and the bits of both. */
export interface Difference {
  /** "vector", "error", "address", "rip", "flags", a register, or "memory". */
  readonly what: string;
  readonly host: bigint;
  readonly guest: bigint;
}

/** A reply that lies somewhere in bytes. */
export class ReplyView {
  readonly #view: DataView;
  constructor(readonly bytes: Uint8Array, readonly at: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + at);
  }

  u16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true);
  }

  wide(offset: number, bytes: number): bigint {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--) {
      value = (value << 8n) | BigInt(this.#view.getUint8(offset + i));
    }
    return value;
  }

  get vector(): number {
    return this.u32(Reply.vector);
  }

  get completed(): boolean {
    return this.vector === COMPLETED;
  }

  /** Bytes of this reply with its memory. */
  get sizeBytes(): number {
    return Reply.sizeBytes + ((this.u32(Reply.changedBytes) + 7) & ~7);
  }

  /** The changed bytes by their offset in the data pages. */
  get changes(): Map<number, number> {
    const first = this.u32(Reply.changedAt);
    const count = this.u32(Reply.changedBytes);
    const changes = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      changes.set(first + i, this.#view.getUint8(Reply.sizeBytes + i));
    }
    return changes;
  }
}

/** Fields that are compared plainly: name, offset, bytes. */
const FIELDS: readonly (readonly [name: string, offset: number, bytes: number])[] = [
  ["vector", Reply.vector, 4],
  ["rip", Reply.rip, 8],
  ...GENERAL_REGISTERS.map((name, i) => [name, Reply.general + 8 * i, 8] as const),
  ["fcw", Reply.fx, 2],
  ["fsw", Reply.fx + 2, 2],
  ["ftw", Reply.fx + 4, 1],
  ["mxcsr", Reply.fx + 24, 4],
  ...Array.from(
    { length: 8 },
    (_, i) => [`st${i}`, Reply.fx + 32 + 16 * i, EXTENDED_BYTES] as const,
  ),
  ...Array.from({ length: 16 }, (_, i) => [`xmm${i}`, Reply.fx + 160 + 16 * i, XMM_BYTES] as const),
];

/** Masks by word of a reply: which bits {@link sameReply} looks at. */
const MASKS = new Uint32Array(Reply.sizeBytes >> 2);
for (const [, offset, bytes] of FIELDS) {
  for (let i = 0; i < bytes; i++) MASKS[(offset + i) >> 2] |= 0xff << (8 * ((offset + i) & 3));
}
MASKS[Reply.error >> 2] = MASKS[Reply.changedAt >> 2] = MASKS[Reply.changedBytes >> 2] = 0xffffffff;
MASKS[Reply.flags >> 2] = COMPARED_FLAGS;

/** Whether two replies agree in everything; quick, for the many cases that do. */
export function sameReply(
  host: Uint32Array,
  at: number,
  guest: Uint32Array,
): boolean {
  for (let i = 0; i < MASKS.length; i++) {
    if (((host[at + i] ^ guest[i]) & MASKS[i]) !== 0) return false;
  }
  if (host[at] === PAGE_FAULT) {
    const address = Reply.address >> 2;
    if (host[at + address] !== guest[address]) return false;
    if (host[at + address + 1] !== guest[address + 1]) return false;
  }
  const words = (guest[Reply.changedBytes >> 2] + 3) >> 2;
  const memory = Reply.sizeBytes >> 2;
  for (let i = 0; i < words; i++) if (host[at + memory + i] !== guest[memory + i]) return false;
  return true;
}

/** Every difference between two replies; `before` is what the data pages held. */
export function differences(
  host: ReplyView,
  guest: ReplyView,
  before: Uint8Array,
): Difference[] {
  const found: Difference[] = [];
  const compare = (what: string, a: bigint, b: bigint) => {
    if (a !== b) found.push({ what, host: a, guest: b });
  };
  for (const [name, offset, bytes] of FIELDS) {
    compare(name, host.wide(offset, bytes), guest.wide(offset, bytes));
  }
  const flags = (reply: ReplyView) => BigInt(reply.u32(Reply.flags) & COMPARED_FLAGS);
  compare("flags", flags(host), flags(guest));
  const isPageFault = host.vector === PAGE_FAULT;
  const isKernelHalf = isPageFault && host.u64(Reply.address) >= KERNEL_ADDRESSES;
  const error = (reply: ReplyView) => BigInt(reply.u32(Reply.error) & (isKernelHalf ? ~1 : ~0));
  compare("error", error(host), error(guest));
  if (isPageFault) compare("address", host.u64(Reply.address), guest.u64(Reply.address));
  const [theirs, ours] = [host.changes, guest.changes];
  for (const offset of new Set([...theirs.keys(), ...ours.keys()])) {
    const byte = (changes: Map<number, number>) => BigInt(changes.get(offset) ?? before[offset]);
    compare(`memory+${offset}`, byte(theirs), byte(ours));
  }
  return found;
}

/** The instruction of a request as iced-x86 writes it, with its bytes. */
export function disassemble(request: DataView): string {
  const length = request.getUint8(Request.length);
  const bytes = new Uint8Array(request.buffer, request.byteOffset + Request.code, length);
  const decoder = new IcedDecoder(
    request.getUint8(Request.isLong) !== 0 ? 64 : 32,
    bytes,
    DecoderOptions.None,
  );
  decoder.ip = BigInt(CODE + request.getUint32(Request.codeAt, true));
  const formatter = new Formatter(FormatterSyntax.Nasm);
  const text = formatter.format(decoder.decode());
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return `${request.getUint8(Request.isLong) !== 0 ? 64 : 32}-bit ${hex}  ${text}`;
}

/** A case and its differences as lines. */
export function report(
  name: string,
  request: DataView,
  host: ReplyView,
  found: readonly Difference[],
  sides: readonly [string, string],
): string {
  const shown = found.slice(0, REPORTED_DIFFERENCES).map(({ what, host, guest }) =>
    `${what}: ${sides[0]} ${hex(host)}, ${sides[1]} ${hex(guest)}${before(request, what)}`
  );
  const more = found.length - shown.length;
  const registers = GENERAL_REGISTERS.slice(0, 8).map((register, i) =>
    `${register} ${hex(request.getBigUint64(Request.general + 8 * i, true))}`
  );
  const fx = Request.fx;
  const words = [
    ["flags", request.getUint32(Request.flags, true)],
    ["vector", host.vector],
    ["step", request.getUint8(Request.singleStep)],
    ["fcw", request.getUint16(fx, true)],
    ["fsw", request.getUint16(fx + 2, true)],
    ["ftw", request.getUint8(fx + 4)],
    ["mxcsr", request.getUint32(fx + 24, true)],
    ["patch", DATA + request.getUint32(Request.patchAt, true)],
  ] as const;
  return [
    `${name}: ${disassemble(request)}`,
    ...shown,
    ...(more > 0 ? [`and ${more} more`] : []),
    words.map(([word, value]) => `${word} ${value.toString(16)}`).join(", "),
    registers.join(", "),
    ["st0", "st1"].map((register) => register + before(request, register)).join(", "),
  ].join("\n    ");
}

function hex(value: bigint): string {
  return value.toString(16);
}

/** What a register held, for the report. */
function before(request: DataView, what: string): string {
  const field = FIELDS.find(([name]) => name === what);
  if (!field || field[1] < Reply.general) return "";
  const [, offset, bytes] = field;
  const from = offset < Reply.fx
    ? offset - Reply.general + Request.general
    : offset - Reply.fx + Request.fx;
  const view = new ReplyView(new Uint8Array(request.buffer), request.byteOffset);
  return ` (was ${view.wide(from, bytes).toString(16)})`;
}
