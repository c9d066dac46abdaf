/**
 * Programs of instructions as text, for people: one statement a line, blocks indented.
 *
 * ```text
 * v0 = rax:64                    reads a place of the CPU state
 * v1 = ds:[address]:32           loads
 * rbx:32 = add(v0, 0x1)          writes; stores look the same
 * if eq(v0, 0x0) {
 *   raise 6
 * }
 * ```
 *
 * A value that is used once stands where it is used; others are named where they are computed.
 */

import { unreachable } from "../../lib/assert.ts";
import { GENERAL_REGISTERS, SEGMENT_REGISTERS, STATE_FIELDS } from "../state/layout.ts";
import type { Instruction } from "./instruction.ts";
import type { Expression, Node, Place, Program, SegmentRef, Statement, Variable } from "./ir.ts";

/** The first register of each array has the array's name in the state. */
const FIRST_OF_ARRAY: Readonly<Record<string, string>> = { xmm: "xmm0", fpr: "fpr0" };
const FIELD_NAMES: ReadonlyMap<number, string> = new Map(
  [...STATE_FIELDS.values()].map(({ name, offset }) => [offset, FIRST_OF_ARRAY[name] ?? name]),
);

/** The program as text; with `instruction`, operands are named by what it names. */
export function programText(program: Program, instruction?: Instruction): string[] {
  return new Printer(instruction ?? null).block(program.statements, "");
}

/** The name of what lies at an offset of the CPU state; `+n` behind it for a part of it. */
function fieldName(offset: number): string {
  for (let part = 0; part < 16; part++) {
    const name = FIELD_NAMES.get(offset - part);
    if (name !== undefined) return part === 0 ? name : `${name}+${part}`;
  }
  return `state+${offset}`;
}

class Printer {
  /** Values that have a name by now. */
  readonly #named = new Set<number>();

  constructor(private readonly instruction: Instruction | null) {}

  block(statements: readonly Statement[], indent: string): string[] {
    return statements.flatMap((statement) => this.#statement(statement, indent));
  }

  #statement(statement: Statement, indent: string): string[] {
    const line = (text: string) => [indent + text];
    switch (statement.kind) {
      case "define": {
        const text = this.#expression(statement.node.expression);
        return line(`${this.#name(statement.node)} = ${text}`);
      }
      case "read":
        return line(
          `${this.#name(statement.result)} = ${this.#place(statement.place)}:${statement.width}`,
        );
      case "write":
        return line(
          `${this.#place(statement.place)}:${statement.width} = ${this.#value(statement.value)}`,
        );
      case "immediate":
        return line(`${this.#name(statement.result)} = ${this.#immediate(statement.field)}`);
      case "address":
        return line(`${this.#name(statement.result)} = ${this.#address()}`);
      case "operandSegment":
        return line(`${this.#name(statement.result)} = segment number`);
      case "ip":
        return line(`${this.#name(statement.result)} = ${statement.which} ip`);
      case "load":
        return line(
          `${this.#name(statement.result)} = ${this.#memory(statement)}` +
            (statement.forWrite ? " for write" : ""),
        );
      case "store":
        return line(`${this.#memory(statement)} = ${this.#value(statement.value)}`);
      case "getVariable":
        return line(`${this.#name(statement.result)} = ${variable(statement.variable)}`);
      case "setVariable":
        return line(`${variable(statement.variable)} = ${this.#value(statement.value)}`);
      case "if":
        return this.#if(statement, indent);
      case "loop":
        return [
          `${indent}loop {`,
          ...this.block(statement.body, indent + "  "),
          `${indent}} while ${this.#value(statement.condition)}`,
        ];
      case "system": {
        const call = `${statement.name}(${
          statement.args.map((arg) => this.#value(arg)).join(", ")
        })`;
        return line(`${this.#name(statement.result)} = system ${call}`);
      }
      case "raise":
      case "jump":
      case "repeat":
      case "retire":
      case "budget":
        return line(this.#flow(statement));
      default:
        return unreachable(statement, "statement");
    }
  }

  #flow(
    statement: Extract<Statement, { kind: "raise" | "jump" | "repeat" | "retire" | "budget" }>,
  ): string {
    switch (statement.kind) {
      case "raise":
        return `raise ${statement.vector}` +
          (statement.errorCode < 0 ? "" : ` error ${statement.errorCode}`);
      case "jump":
        return `jump ${statement.direct ? "direct " : ""}${this.#value(statement.target)}`;
      case "repeat":
        return "repeat";
      case "retire":
        return `retire ${this.#value(statement.extra)}`;
      case "budget":
        return `${this.#name(statement.result)} = budget`;
      default:
        return unreachable(statement, "statement");
    }
  }

  #if(statement: Extract<Statement, { kind: "if" }>, indent: string): string[] {
    const { condition, then, otherwise } = statement;
    const lines = [`${indent}if ${this.#value(condition)} {`, ...this.block(then, indent + "  ")];
    if (otherwise.length > 0) {
      lines.push(`${indent}} else {`, ...this.block(otherwise, indent + "  "));
    }
    return [...lines, `${indent}}`];
  }

  #name(node: Node): string {
    this.#named.add(node.id);
    return `v${node.id}`;
  }

  #value(node: Node): string {
    return this.#named.has(node.id) ? `v${node.id}` : this.#expression(node.expression);
  }

  #expression(expression: Expression): string {
    const call = (name: string, ...args: readonly Node[]) =>
      `${name}(${args.map((arg) => this.#value(arg)).join(", ")})`;
    switch (expression.op) {
      case "const":
        return `0x${expression.value.toString(16)}`;
      case "integer":
        return call(expression.integer, expression.a, expression.b);
      case "unary":
        return call(expression.unary, expression.a);
      case "compare":
        return call(expression.compare, expression.a, expression.b);
      case "bool":
        return call(expression.bool, expression.a, expression.b);
      case "not":
      case "fromBool":
        return call(expression.op, expression.a);
      case "select":
        return call("select", expression.condition, expression.a, expression.b);
      case "simd": {
        const lane = /_lane/.test(expression.simd) ? ` ${expression.lane}` : "";
        return call(expression.simd + lane, ...expression.args);
      }
      case "makeVector":
        return call("vector", expression.low, expression.high);
      case "result":
        return "result";
      default:
        return unreachable(expression, "expression");
    }
  }

  #memory(access: Extract<Statement, { kind: "load" | "store" }>): string {
    return `${this.#segment(access.segment)}:[${this.#value(access.offset)}]:${access.width}`;
  }

  #segment(segment: SegmentRef): string {
    if (segment !== "operand") return segment;
    return this.instruction ? SEGMENT_REGISTERS[this.instruction.segment] : "segment";
  }

  #place(place: Place): string {
    switch (place.kind) {
      case "fixed":
        return fieldName(place.offset);
      case "operand": {
        const offset = this.instruction?.registers[place.slot] ?? -1;
        return offset < 0 ? `operand${place.slot}` : fieldName(offset);
      }
      case "indexed":
        return `${fieldName(place.base)}[${this.#value(place.index)}]`;
      default:
        return unreachable(place, "place");
    }
  }

  #immediate(field: "immediate" | "immediate2"): string {
    if (!this.instruction) return field;
    return `0x${this.instruction[field].toString(16)}`;
  }

  #address(): string {
    const addressing = this.instruction?.addressing;
    if (!addressing) return "address";
    const { base, index, scale, displacement, ripRelative } = addressing;
    const parts = ripRelative ? ["next ip"] : [];
    if (base >= 0) parts.push(GENERAL_REGISTERS[base]);
    if (index >= 0) parts.push(`${GENERAL_REGISTERS[index]} * ${1 << scale}`);
    if (displacement !== 0n || parts.length === 0) {
      const sign = displacement < 0n ? "-" : "";
      const size = displacement < 0n ? -displacement : displacement;
      parts.push(`${sign}0x${size.toString(16)}`);
    }
    return `address ${parts.join(" + ").replaceAll("+ -", "- ")}`;
  }
}

function variable({ index }: Variable): string {
  return `x${index}`;
}
