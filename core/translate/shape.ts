/**
 * What the translator wants to know of an instruction's program: whether it can be inlined, how it leaves, and its
 * statements without what is superfluous where a jump's target is known to be good.
 *
 * An inlined instruction that meets anything unusual (a TLB miss, an exception, a system function) is abandoned and
 * executed again from its start by the cold tier. So it may have changed nothing by then: a program that loads, stores
 * or calls after its first change is left to the cold tier altogether.
 */

import { unreachable } from "../lib/assert.ts";
import type { BoundForm } from "../x86/ir/instruction.ts";
import { containsStatement, inputsOf, type Node, type Statement } from "../x86/ir/ir.ts";

/** The shape of one form's program. */
export interface Shape {
  /** Whether region code executes it; otherwise the cold tier always does. */
  readonly inlined: boolean;
  /** Whether a direct jump is among its statements. */
  readonly jumpsDirectly: boolean;
  /** Whether control never continues with the following instruction. */
  readonly alwaysLeaves: boolean;
  /** Whether the following instruction is where a call will return to. */
  readonly isCall: boolean;
  /** Whether it is a jump, not a return, to a computed target. */
  readonly isComputedJump: boolean;
  /** Whether it may execute again (REP). */
  readonly repeats: boolean;
  /** Whether it may count as several instructions, so that the budget must be looked at after it. */
  readonly retiresMore: boolean;
  /** Its statements. */
  readonly statements: readonly Statement[];
  /** The same for a direct jump whose target needs no check. */
  readonly unchecked: readonly Statement[];
}

const shapes = new WeakMap<BoundForm, Shape>();

/** The shape of `bound`'s program. */
export function shapeOf(bound: BoundForm): Shape {
  let shape = shapes.get(bound);
  if (shape === undefined) {
    shape = analyse(bound);
    shapes.set(bound, shape);
  }
  return shape;
}

function analyse(bound: BoundForm): Shape {
  const { statements } = bound.program;
  const jumpsDirectly = containsStatement(statements, (s) => s.kind === "jump" && s.direct);
  return {
    inlined: changesLast(statements, { changed: false }) && !alwaysCalls(statements),
    jumpsDirectly,
    alwaysLeaves: statements.some((s) =>
      s.kind === "jump" || (s.kind === "system" && s.endsBlock) || s.kind === "raise"
    ),
    isCall: bound.definition.mnemonic === "CALL",
    isComputedJump: bound.definition.mnemonic === "JMP" && !jumpsDirectly,
    repeats: containsStatement(statements, (s) => s.kind === "repeat"),
    retiresMore: containsStatement(statements, (s) => s.kind === "retire"),
    statements,
    unchecked: jumpsDirectly ? withoutTargetChecks(statements) : statements,
  };
}

/** Whether the system is called, or an exception raised, on every way through. */
function alwaysCalls(statements: readonly Statement[]): boolean {
  return statements.some((s) => s.kind === "system" || s.kind === "raise");
}

/** Whether nothing that can be abandoned comes after a change of the state. */
function changesLast(statements: readonly Statement[], progress: { changed: boolean }): boolean {
  for (const statement of statements) {
    switch (statement.kind) {
      case "load":
      case "raise":
      case "system":
        if (progress.changed) return false;
        break;
      case "store":
        if (progress.changed) return false;
        progress.changed = true;
        break;
      case "write":
      case "retire":
        progress.changed = true;
        break;
      case "if": {
        const other = { changed: progress.changed };
        if (!changesLast(statement.then, progress)) return false;
        if (!changesLast(statement.otherwise, other)) return false;
        progress.changed ||= other.changed;
        break;
      }
      case "loop":
        // A second pass meets what the first one changed.
        if (!changesLast(statement.body, progress)) return false;
        if (!changesLast(statement.body, progress)) return false;
        break;
      case "define":
      case "read":
      case "immediate":
      case "address":
      case "operandSegment":
      case "ip":
      case "getVariable":
      case "setVariable":
      case "jump":
      case "repeat":
      case "budget":
        break;
      default:
        unreachable(statement, "statement");
    }
  }
  return true;
}

/** The statements without checks of a jump's target and what only they needed. */
function withoutTargetChecks(statements: readonly Statement[]): readonly Statement[] {
  const kept = dropChecks(statements);
  const needed = new Set<Node>();
  collect(kept, needed);
  return dropUnneeded(kept, needed);
}

function dropChecks(statements: readonly Statement[]): Statement[] {
  return statements
    .filter((s) => s.kind !== "if" || !s.checksTarget)
    .map((s): Statement => {
      if (s.kind === "if") {
        return { ...s, then: dropChecks(s.then), otherwise: dropChecks(s.otherwise) };
      }
      return s.kind === "loop" ? { ...s, body: dropChecks(s.body) } : s;
    })
    .filter((s) => s.kind !== "if" || s.then.length > 0 || s.otherwise.length > 0);
}

/** Collects the values that effects need. The target of a direct jump is known without computing it. */
function collect(statements: readonly Statement[], needed: Set<Node>): void {
  for (const s of statements) {
    switch (s.kind) {
      case "write":
        need(s.value, needed);
        if (s.place.kind === "indexed") need(s.place.index, needed);
        break;
      case "read":
        if (s.place.kind === "indexed") need(s.place.index, needed);
        break;
      case "load":
        need(s.offset, needed);
        break;
      case "store":
        need(s.offset, needed);
        need(s.value, needed);
        break;
      case "setVariable":
        need(s.value, needed);
        break;
      case "if":
        need(s.condition, needed);
        collect(s.then, needed);
        collect(s.otherwise, needed);
        break;
      case "loop":
        need(s.condition, needed);
        collect(s.body, needed);
        break;
      case "system":
        for (const arg of s.args) need(arg, needed);
        break;
      case "jump":
        if (!s.direct) need(s.target, needed);
        break;
      case "retire":
        need(s.extra, needed);
        break;
      case "define":
      case "immediate":
      case "address":
      case "operandSegment":
      case "ip":
      case "getVariable":
      case "raise":
      case "repeat":
      case "budget":
        break;
      default:
        unreachable(s, "statement");
    }
  }
}

function need(node: Node, needed: Set<Node>): void {
  if (needed.has(node)) return;
  needed.add(node);
  for (const input of inputsOf(node.expression)) need(input, needed);
}

function dropUnneeded(statements: readonly Statement[], needed: Set<Node>): Statement[] {
  return statements
    .filter((s) => {
      switch (s.kind) {
        case "define":
          return needed.has(s.node);
        case "read":
        case "immediate":
        case "address":
        case "operandSegment":
        case "ip":
        case "getVariable":
        case "budget":
          return needed.has(s.result);
        default:
          return true;
      }
    })
    .map((s): Statement => {
      if (s.kind === "if") {
        return {
          ...s,
          then: dropUnneeded(s.then, needed),
          otherwise: dropUnneeded(s.otherwise, needed),
        };
      }
      return s.kind === "loop" ? { ...s, body: dropUnneeded(s.body, needed) } : s;
    });
}
