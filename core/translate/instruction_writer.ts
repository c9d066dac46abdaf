/**
 * From an instruction's program to the code of a region: registers are locals, operands are constants, and
 * whatever is unusual leaves the region at the instruction's start.
 */

import { unreachable } from "../lib/assert.ts";
import type { FunctionWriter } from "../lib/wasm/writer.ts";
import { ExpressionWriter } from "../x86/cold/expressions.ts";
import { LOADS, pushHostAddress, pushTlbHit, SEGMENT, STORES } from "../x86/cold/memory_access.ts";
import { CPU } from "../x86/cold/handler_code.ts";
import type { I64, Place, PlaceWidth, SegmentRef, Statement } from "../x86/ir/ir.ts";
import { TlbEntry } from "../x86/paging/tlb.ts";
import {
  type FieldName,
  offsetOf,
  registerOffset,
  SEGMENT_REGISTERS,
  type SegmentRegister,
} from "../x86/state/layout.ts";
import { type GuestLocals, homeOf } from "./guest_locals.ts";
import type { LocalPool } from "./local_pool.ts";
import type { PageWindow, PageWindows } from "./page_windows.ts";
import { isFlagSource, type PendingFlags } from "./pending_flags.ts";
import type { RegionInstruction } from "./region.ts";

const FAST_PATHS = offsetOf("fastPaths");

/** Locals that every region has. */
export interface RegionLocals {
  /** i64: offset in CS of the page's first byte, before it is cut to the instruction pointer's width. */
  readonly pageRip: number;
  /** i64: the data TLB. */
  readonly dataTlb: number;
  /** i32: instructions that may still retire, those of the running block already taken off. */
  readonly budget: number;
}

/** What an instruction's code needs from the region around it. */
export interface InstructionPorts {
  readonly code: FunctionWriter;
  readonly guest: GuestLocals;
  readonly flags: PendingFlags;
  readonly pool: LocalPool;
  readonly windows: PageWindows;
  readonly locals: RegionLocals;
  /** Whether instruction pointers have 64 bits; else 32. */
  readonly long: boolean;
  /** Opens and closes a structured instruction, so that the region knows how deep it is. */
  open(kind: "block" | "loop" | "if"): void;
  close(): void;
  /** Leaves the region at the start of this instruction, for the cold tier to execute it. */
  leaveHere(): void;
  /** Instructions of the block from this one on, this one included. */
  readonly remaining: number;
  /** Continues at the instruction's jump target in the page. */
  jumpInPage(): void;
  /** Continues at the offset in CS that is in the local; `direct` says that it cannot lie in the region. */
  jumpTo(local: number, direct: boolean): void;
  /** Executes the instruction again. */
  repeat(): void;
}

type Load = Extract<Statement, { kind: "load" }>;
type Store = Extract<Statement, { kind: "store" }>;

/** Writes one instruction. */
export class InstructionWriter {
  readonly #values: ExpressionWriter;
  readonly #temporaries: number[] = [];
  #depth = 0;
  /** What was loaded to be stored to, and the local of its linear offset. */
  #loaded: { segment: SegmentRef; offset: I64; bytes: number; host: number } | null = null;

  constructor(private readonly at: RegionInstruction, private readonly ports: InstructionPorts) {
    const { pool, code } = ports;
    this.#values = new ExpressionWriter(code, (type) => {
      const local = pool.take(type);
      this.#temporaries.push(local);
      return local;
    });
  }

  write(): void {
    const { shape, target } = this.at;
    const inPage = target >= 0 && target < 4096;
    this.#statements(inPage ? shape.unchecked : shape.statements);
    this.ports.pool.giveBack(this.#temporaries);
  }

  /** Writes statements; returns whether control reaches their end. */
  #statements(statements: readonly Statement[]): boolean {
    for (const statement of statements) {
      this.#statement(statement);
      const { kind } = statement;
      if (kind === "system" || kind === "raise" || kind === "jump" || kind === "repeat") {
        return false;
      }
    }
    return true;
  }

  #statement(statement: Statement): void {
    const { ports } = this;
    const { code } = ports;
    const values = this.#values;
    switch (statement.kind) {
      case "define":
        return values.define(statement.node);
      case "read":
        if (statement.result.uses === 0) return;
        this.#pushPlace(statement.place, statement.width);
        return values.keep(statement.result);
      case "write":
        return this.#write(statement);
      case "immediate": {
        const { instruction } = this.at;
        const { field } = statement;
        code.i64(field === "immediate" ? instruction.immediate : BigInt(instruction.immediate2));
        return values.keep(statement.result);
      }
      case "address":
        this.#pushAddress();
        return values.keep(statement.result);
      case "operandSegment":
        code.i64(BigInt(this.at.instruction.segment));
        return values.keep(statement.result);
      case "ip":
        this.#pushIp(
          statement.which === "current"
            ? this.at.offset
            : this.at.offset + this.at.instruction.length,
        );
        return values.keep(statement.result);
      case "load":
        return this.#load(statement);
      case "store":
        return this.#store(statement);
      case "getVariable":
        code.get(values.variable(statement.variable));
        return values.keep(statement.result);
      case "setVariable":
        values.push(statement.value);
        return code.set(values.variable(statement.variable));
      case "if":
        return this.#if(statement);
      case "loop":
        return this.#loop(statement);
      case "raise":
      case "system":
        return ports.leaveHere();
      case "jump":
        return this.#jump(statement.target, statement.direct);
      case "repeat":
        return ports.repeat();
      case "retire":
        code.get(ports.locals.budget);
        values.push(statement.extra);
        code.op("i32.wrap_i64");
        code.op("i32.sub");
        return code.set(ports.locals.budget);
      case "budget":
        code.get(ports.locals.budget);
        code.i32(ports.remaining);
        code.op("i32.add");
        code.op("i64.extend_i32_s");
        return values.keep(statement.result);
      default:
        return unreachable(statement, "statement");
    }
  }

  #if({ condition, then, otherwise }: Extract<Statement, { kind: "if" }>): void {
    const { ports } = this;
    if (touchesFlags(then) || touchesFlags(otherwise)) ports.flags.settleAll();
    this.#values.push(condition);
    ports.open("if");
    this.#depth++;
    this.#statements(then);
    if (otherwise.length > 0) {
      ports.code.op("else");
      this.#statements(otherwise);
    }
    this.#depth--;
    ports.close();
  }

  #loop({ body, condition }: Extract<Statement, { kind: "loop" }>): void {
    const { ports } = this;
    if (touchesFlags(body)) ports.flags.settleAll();
    ports.open("loop");
    this.#depth++;
    this.#statements(body);
    this.#values.push(condition);
    ports.code.branchIf(0);
    this.#depth--;
    ports.close();
  }

  #jump(target: I64, direct: boolean): void {
    if (direct && this.at.target >= 0 && this.at.target < 4096) return this.ports.jumpInPage();
    this.ports.jumpTo(this.#values.localOf(target), direct);
  }

  // ---- the CPU's state ----

  #pushPlace(place: Place, width: PlaceWidth): void {
    const { code, guest, flags } = this.ports;
    if (place.kind === "indexed") {
      this.#pushIndexed(place.index);
      return code.memory(LOADS[width], place.base);
    }
    const offset = offsetOfPlace(this.at, place);
    if (offset === FAST_PATHS) return code.i64(1n);
    if (homeOf(offset) < 0) {
      code.get(CPU);
      return code.memory(LOADS[width], offset);
    }
    flags.settle(offset);
    guest.push(offset, width);
  }

  #write({ place, width, value }: Extract<Statement, { kind: "write" }>): void {
    const { code, guest, flags } = this.ports;
    const values = this.#values;
    if (place.kind === "indexed") {
      this.#pushIndexed(place.index);
      values.push(value);
      return code.memory(STORES[width], place.base);
    }
    const offset = offsetOfPlace(this.at, place);
    if (homeOf(offset) < 0) {
      code.get(CPU);
      values.push(value);
      return code.memory(STORES[width], offset);
    }
    if (isFlagSource(offset) && this.#depth === 0) return flags.set(offset, values, value);
    guest.set(offset, width, () => values.push(value));
  }

  #pushIndexed(index: I64): void {
    const { code } = this.ports;
    code.get(CPU);
    this.#values.push(index);
    code.i64(4n);
    code.op("i64.shl");
    code.op("i64.add");
  }

  // ---- addresses ----

  #pushIp(offset: number): void {
    const { code, locals, long } = this.ports;
    code.get(locals.pageRip);
    code.i64(BigInt(offset));
    code.op("i64.add");
    if (long) return;
    code.i64(0xffffffffn);
    code.op("i64.and");
  }

  /** Pushes the offset that the addressing form gives. */
  #pushAddress(): void {
    const { code, guest, locals } = this.ports;
    const { instruction, offset } = this.at;
    const { base, index, scale, displacement, ripRelative, width } = instruction.addressing!;
    let terms = 0;
    const add = () => {
      if (terms++ > 0) code.op("i64.add");
    };
    if (ripRelative) {
      code.get(locals.pageRip);
      add();
    }
    if (base >= 0) {
      guest.push(registerOffset(base), 64);
      add();
    }
    if (index >= 0) {
      guest.push(registerOffset(index), 64);
      if (scale > 0) {
        code.i64(BigInt(scale));
        code.op("i64.shl");
      }
      add();
    }
    const constant = displacement + (ripRelative ? BigInt(offset + instruction.length) : 0n);
    if (constant !== 0n || terms === 0) {
      code.i64(constant);
      add();
    }
    if (width === 64) return;
    code.i64(width === 16 ? 0xffffn : 0xffffffffn);
    code.op("i64.and");
  }

  /** Leaves the linear address of an access in a local. */
  #linear(segment: SegmentRef, offset: I64, bytes: number, write: boolean): number {
    const { code, guest } = this.ports;
    const { form } = this.at.instruction.bound;
    const name = segmentOf(this.at, segment);
    const at = this.#values.localOf(offset);
    if (form.access === "checked") return this.#checked(name, at, bytes, write);
    const isBased = form.access === "longBased" && (name === "fs" || name === "gs");
    if (!isBased) return at;
    const linear = this.#temporary();
    code.get(at);
    guest.push(offsetOf(`${name}Base`), 64);
    code.op("i64.add");
    code.set(linear);
    return linear;
  }

  #checked(name: SegmentRegister, at: number, bytes: number, write: boolean): number {
    const { ports } = this;
    const { code } = ports;
    const parts = offsetOf(`${name}Selector`);
    const field = (load: string, part: number) => {
      code.get(CPU);
      code.memory(load, parts + part);
    };
    field("i32.load", SEGMENT.access);
    code.i32(write ? 2 : 1);
    code.op("i32.and");
    code.op("i32.eqz");
    code.get(at);
    field("i64.load", SEGMENT.first);
    code.op("i64.lt_u");
    code.op("i32.or");
    code.get(at);
    code.i64(BigInt(bytes - 1));
    code.op("i64.add");
    field("i64.load", SEGMENT.last);
    code.op("i64.gt_u");
    code.op("i32.or");
    ports.open("if");
    ports.leaveHere();
    ports.close();
    const linear = this.#temporary();
    code.get(at);
    field("i64.load", SEGMENT.base);
    code.op("i64.add");
    code.i64(0xffffffffn);
    code.op("i64.and");
    code.set(linear);
    return linear;
  }

  // ---- memory ----

  /** Leaves the linear offset of an access in a local; leaves the region unless the access may be direct. */
  #direct(linear: number, bytes: number, write: boolean, window: PageWindow | null): number {
    const { code } = this.ports;
    const tag = write ? TlbEntry.writeTag : TlbEntry.readTag;
    const host = this.#temporary();
    if (window === null) {
      const entry = this.#requireHit(linear, bytes, tag);
      pushHostAddress(code, linear, entry);
    } else {
      this.#openWindow(linear, bytes, tag, window);
      code.get(linear);
      code.get(window.addend);
      code.op("i64.add");
    }
    code.set(host);
    return host;
  }

  /** Sees to it that the window shows the page of an access. One that is not aligned always asks the TLB. */
  #openWindow(linear: number, bytes: number, tag: number, { page, addend }: PageWindow): void {
    const { ports } = this;
    const { code } = ports;
    const pushPage = (alignment: number) => {
      code.get(linear);
      code.i64(BigInt(-4096 | alignment));
      code.op("i64.and");
    };
    pushPage(bytes - 1);
    code.get(page);
    code.op("i64.ne");
    ports.open("if");
    const entry = this.#requireHit(linear, bytes, tag);
    pushPage(0);
    code.set(page);
    code.get(entry);
    code.memory("i64.load", TlbEntry.addend);
    code.set(addend);
    ports.close();
  }

  /** Leaves unless the TLB gives direct access to `linear`; returns the local of the TLB entry. */
  #requireHit(linear: number, bytes: number, tag: number): number {
    const { ports } = this;
    const { code, locals } = ports;
    const entry = this.#temporary();
    code.get(locals.dataTlb);
    pushTlbHit(code, linear, bytes, tag, entry);
    code.op("i32.eqz");
    ports.open("if");
    ports.leaveHere();
    ports.close();
    return entry;
  }

  #load({ segment, offset, width, forWrite, result }: Load): void {
    const { code, windows } = this.ports;
    const bytes = width >> 3;
    const linear = this.#linear(segment, offset, bytes, forWrite);
    const host = this.#direct(linear, bytes, forWrite, windows.of(this.at, segment, forWrite));
    if (forWrite && this.#depth === 0) this.#loaded = { segment, offset, bytes, host };
    code.get(host);
    code.memory(LOADS[width], 0);
    this.#values.keep(result);
  }

  #store({ segment, offset, width, value }: Store): void {
    const { code } = this.ports;
    const local = this.#values.localOf(value);
    code.get(this.#placeOfStore(segment, offset, width >> 3));
    code.get(local);
    code.memory(STORES[width], 0);
  }

  /** The local of the linear offset that a store goes to: known, if it was loaded from to be stored to. */
  #placeOfStore(segment: SegmentRef, offset: I64, bytes: number): number {
    const loaded = this.#loaded;
    if (loaded?.segment === segment && loaded.offset === offset && loaded.bytes === bytes) {
      return loaded.host;
    }
    const linear = this.#linear(segment, offset, bytes, true);
    return this.#direct(linear, bytes, true, this.ports.windows.of(this.at, segment, true));
  }

  #temporary(): number {
    const local = this.ports.pool.take("i64");
    this.#temporaries.push(local);
    return local;
  }
}

/** The state offset of a place that is not computed. */
export function offsetOfPlace(
  { instruction }: RegionInstruction,
  place: Exclude<Place, { kind: "indexed" }>,
): number {
  return place.kind === "fixed" ? place.offset : instruction.registers[place.slot];
}

/** The segment register of an access. */
export function segmentOf({ instruction }: RegionInstruction, ref: SegmentRef): SegmentRegister {
  return ref === "operand" ? SEGMENT_REGISTERS[instruction.segment] : ref;
}

/** Whether flag sources are read or written. */
function touchesFlags(statements: readonly Statement[]): boolean {
  return statements.some((s) => {
    switch (s.kind) {
      case "read":
      case "write":
        return s.place.kind === "fixed" && isFlagSource(s.place.offset);
      case "if":
        return touchesFlags(s.then) || touchesFlags(s.otherwise);
      case "loop":
        return touchesFlags(s.body);
      case "jump":
      case "repeat":
        // The code there may touch any.
        return true;
      default:
        return false;
    }
  });
}

/** The fields of segment bases that long mode adds. */
export const BASED: readonly FieldName[] = ["fsBase", "gsBase"];
