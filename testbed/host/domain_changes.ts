/** Changes that a person makes to a stopped domain, as a debugger does: inputs of its host, which a recording keeps. */

import type { Domain } from "../../core/hypervisor/domain.ts";
import { FrameType } from "../../core/hypervisor/memory/frame_table.ts";
import { FRAME_BYTES } from "../../core/memory/machine_memory.ts";
import type { PhysicalAddress } from "../../core/lib/brand.ts";
import type { CpuLook } from "../../core/x86/cpu_look.ts";
import { GENERAL_REGISTERS } from "../../core/x86/state/layout.ts";
import type { StateChanges } from "../machine_api.ts";
import type { Host } from "./host.ts";

/** Registers that can be set: EFLAGS is partly the hypervisor's. */
const SETTABLE: readonly string[] = [...GENERAL_REGISTERS, "rip"];

/** See the module comment. */
export class DomainChanges implements StateChanges {
  readonly #host: Host;
  readonly #domain: Domain;
  readonly #looks: readonly CpuLook[];

  constructor(host: Host, domain: Domain, looks: readonly CpuLook[]) {
    this.#host = host;
    this.#domain = domain;
    this.#looks = looks;
  }

  /** Writes at a machine address. Throws `RangeError` unless all is the domain's, and holds data. */
  memory(address: PhysicalAddress, bytes: Uint8Array): void {
    const last = Math.floor((address + bytes.length - 1) / FRAME_BYTES);
    for (let frame = Math.floor(address / FRAME_BYTES); frame <= last; frame++) this.#check(frame);
    this.#host.inputs.feed({
      kind: "memory",
      domain: this.#domain.id,
      address,
      bytes: bytes.slice(),
    });
  }

  linear(cpu: number, address: bigint, bytes: Uint8Array): void {
    const pieces: (readonly [address: PhysicalAddress, bytes: Uint8Array])[] = [];
    for (let done = 0; done < bytes.length;) {
      const at = address + BigInt(done);
      const low = Number(BigInt.asIntN(32, at));
      const physical = this.#look(cpu).mmu.peek(low, Number(BigInt.asIntN(32, at >> 32n)));
      if (physical < 0) throw new RangeError(`no RAM is mapped at 0x${at.toString(16)}`);
      this.#check(Math.floor(physical / FRAME_BYTES));
      const length = Math.min(bytes.length - done, FRAME_BYTES - physical % FRAME_BYTES);
      pieces.push([physical as PhysicalAddress, bytes.subarray(done, done + length)]);
      done += length;
    }
    for (const [at, piece] of pieces) this.memory(at, piece);
  }

  register(cpu: number, name: string, value: bigint): void {
    this.#look(cpu);
    if (!SETTABLE.includes(name)) {
      throw new RangeError(`${name} is none of: ${SETTABLE.join(", ")}`);
    }
    this.#host.inputs.feed({
      kind: "register",
      domain: this.#domain.id,
      vcpu: cpu,
      name,
      value: BigInt.asUintN(64, value),
    });
  }

  /** What describes memory or segments to the CPU is changed by the domain's hypercalls only, which are checked. */
  #check(frame: number): void {
    const { frames } = this.#host.hypervisor;
    const { id, name } = this.#domain;
    if (frames.ownerOf(frame) !== id) {
      throw new RangeError(`machine frame ${frame} is not one of ${name}`);
    }
    if (frames.typeCount[frame] > 0 && frames.type[frame] !== FrameType.writable) {
      throw new RangeError(`machine frame ${frame} of ${name} holds a page table or descriptors`);
    }
  }

  #look(index: number): CpuLook {
    if (this.#looks[index]) return this.#looks[index];
    throw new RangeError(`there is no virtual CPU ${index}; there are ${this.#looks.length}`);
  }
}
