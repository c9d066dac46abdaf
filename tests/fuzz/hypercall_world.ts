/**
 * What an attacker knows and has: two domains without privilege that work together. The first one makes the calls;
 * the second one offers it frames, places for frames, and ports.
 */

import { CPU_USER_REGS_32, CPU_USER_REGS_64, VCPU_GUEST_CONTEXT } from "../../core/abi/arch_x86.ts";
import { ENTRIES_PER_FRAME, GRANT_ENTRY_V1, GTF } from "../../core/abi/grant_table.ts";
import { HYPERCALL } from "../../core/abi/hypercalls.ts";
import { type DomainId, DOMID, type MachineFrame } from "../../core/abi/ids.ts";
import { callback_register, CALLBACKOP, CALLBACKTYPE } from "../../core/abi/operations.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import { FrameType } from "../../core/hypervisor/memory/frame_table.ts";
import { assemble } from "../../core/x86/assembler/mod.ts";
import type { Host } from "../../testbed/host/host.ts";
import { AbiGuest, KERNEL_STACK, SCRATCH, VIRT_BASE } from "../conformance/hypervisor/abi_guest.ts";
import type { Random } from "./softfloat_operands.ts";

const PAGE_BYTES = 4096;
/** Pseudo-physical frames that the grammar plays with; kernel, calls and scratch stay out of it. */
export const FIRST_PFN = 512;
export const LAST_PFN = 1020;
/** Frames that are taken again and again, so that uses meet. */
const HOT_FRAMES = 24;
/** Virtual CPUs of the attacker; the first one makes the calls. */
export const VCPUS = 3;
/** Bytes of scratch memory that one call has for its structures. */
export const CALL_SCRATCH_BYTES = 512;
export const CALLS_PER_BATCH = 48;
/** Where a virtual CPU's context lies, for `VCPUOP_initialise`. */
export const CONTEXT = SCRATCH + CALL_SCRATCH_BYTES * CALLS_PER_BATCH;
/** Where texts go that are longer than a call's scratch memory. */
export const TEXT = SCRATCH + 0x7800;
/** Code: callbacks come here and go back; the other virtual CPUs yield and block here. */
const HANDLERS = VIRT_BASE + 0x3800;
/** Grant references in use: those that permit access, and those that accept a frame. */
export const REFERENCES = { access: 8, transfers: 40, end: 72 } as const;
/** Ports of the accomplice that wait for the attacker. */
const OFFERED_PORTS = 8;
const INTERRUPTS = 0x200;

/** Handlers of events and NMIs, which go back with events masked, so that the next one waits for a `block`. */
const HANDLER_SOURCES: Readonly<Record<DataModel, string>> = {
  lp64: `
resume: pop rcx
        pop r11
        and dword [rsp + 16], ${~INTERRUPTS}
        push 0
        push rcx
        push r11
        push rax
        mov eax, ${HYPERCALL.iret}
        syscall
sleep:  mov eax, ${HYPERCALL.sched_op}
        and edi, 1
        xor edi, 1
        xor esi, esi
        syscall
        jmp sleep
`,
  ilp32: `
resume: and dword [esp + 8], ${~INTERRUPTS}
        push eax
        mov eax, ${HYPERCALL.iret}
        int 0x82
sleep:  mov eax, ${HYPERCALL.sched_op}
        and ebx, 1
        xor ebx, 1
        xor ecx, ecx
        int 0x82
        jmp sleep
`,
};

/** A mapping of a grant that the attacker made. */
export interface GrantMap {
  readonly handle: number;
  readonly address: bigint;
}

/** See the module comment. */
export class AttackWorld {
  /** Mappings of grants, the latest last; some may have ended. */
  readonly maps: GrantMap[] = [];
  #frames: readonly MachineFrame[] = [];
  #root: MachineFrame | null = null;
  readonly #kernelFrames: ReadonlySet<MachineFrame>;

  private constructor(
    readonly guest: AbiGuest,
    readonly accomplice: AbiGuest,
    /** Where callbacks may lead. */
    readonly resume: bigint,
    readonly offeredPorts: readonly number[],
  ) {
    this.#kernelFrames = new Set(
      Array.from({ length: FIRST_PFN }, (_, pfn) => guest.frameOf(pfn)),
    );
  }

  /** Two new domains on a host. */
  static async start(host: Host, model: DataModel): Promise<AttackWorld> {
    const guest = await AbiGuest.join(host, model, VCPUS);
    const accomplice = await AbiGuest.join(host, model);
    const bits = model === "lp64" ? 64 : 32;
    const { bytes, labels } = assemble(HANDLER_SOURCES[model], { bits, origin: HANDLERS });
    guest.poke(HANDLERS, bytes);
    guest.poke(CONTEXT, contextOf(guest, Number(labels.sleep), Number(labels.resume)));
    for (const type of [CALLBACKTYPE.event, CALLBACKTYPE.nmi]) {
      const cs = BigInt(kernelCs(model));
      guest.poke(SCRATCH, callback_register.toBytes({ type, address: labels.resume, cs }, model));
      await guest.call("callback_op", CALLBACKOP.register, SCRATCH);
    }
    host.hypervisor.pause(accomplice.domain.domain);
    const { events } = host.hypervisor;
    const offered = Array.from(
      { length: OFFERED_PORTS },
      () => events.allocUnbound(accomplice.domain.id, DOMID.SELF, guest.domain.id),
    );
    return new AttackWorld(guest, accomplice, labels.resume, offered);
  }

  get model(): DataModel {
    return this.guest.model;
  }

  get #hypervisor() {
    return this.guest.host.hypervisor;
  }

  /** The attacker's frames, its kernel's aside; often one of a few. */
  frame(random: Random): MachineFrame {
    const among = random.below(3) === 0 ? this.#frames.length : HOT_FRAMES;
    return this.#frames[random.below(Math.min(among, this.#frames.length))];
  }

  /** Before each batch: the attacker looks at what it has, and both write into their own memory. */
  prepare(random: Random): void {
    const own = [...this.#hypervisor.frames.framesOf(this.guest.domain.id)];
    const { frames } = this.#hypervisor;
    this.#frames = own.filter((frame) =>
      !this.#kernelFrames.has(frame) && frames.ownerOf(frame) === this.guest.domain.id
    );
    this.#scribble(random);
    this.#offer(random, this.guest, this.frame(random));
    const theirs = [...frames.framesOf(this.accomplice.domain.id)];
    this.#offer(random, this.accomplice, theirs[theirs.length - 1 - random.below(HOT_FRAMES)]);
    // There is room for a frame that the attacker gives away.
    const { domain } = this.accomplice.domain;
    const given = theirs.find((frame) => frames.isUnused(frame));
    if (domain.pages === domain.maxPages && given !== undefined) {
      this.#hypervisor.reservations.decrease(domain, given);
    }
  }

  /** Some entries of a page table to be, in a frame that its owner may write. */
  #scribble(random: Random): void {
    const { frames, memory } = this.#hypervisor;
    const target = this.frame(random);
    const type = frames.type[target];
    if (frames.typeCount[target] > 0 && type !== FrameType.writable) return;
    if (random.below(4) === 0) return this.#makeTables(random, target);
    for (let i = random.below(4); i > 0; i--) {
      const flags = random.below(8) === 0 ? random.below(4096) : random.below(4);
      memory.write32(target, 8 * random.below(512), (this.frame(random) << 12 | flags) >>> 0);
    }
  }

  /** A table of the third level, empty but for what a 32-bit guest's must have: its last GiB. */
  #makeTables(random: Random, third: MachineFrame): void {
    const { frames, memory } = this.#hypervisor;
    const second = this.frame(random);
    if (second === third || frames.typeCount[second] > 0) return;
    for (const frame of [third, second]) memory.writeBytes(frame, 0, new Uint8Array(PAGE_BYTES));
    memory.write32(third, 3 * 8, (second << 12 | 1) >>> 0);
    this.#root = third;
  }

  /** Mostly a frame that looks like a top-level table. */
  aTable(random: Random): MachineFrame {
    return this.#root === null || random.below(3) === 0 ? this.frame(random) : this.#root;
  }

  /** An entry of a domain's grant table, as its kernel would write it: mostly for the attacker. */
  #offer(random: Random, owner: AbiGuest, frame: MachineFrame): void {
    const [table] = this.#hypervisor.grants.tableFrames(owner.domain.id);
    const ref = REFERENCES.access + random.below(REFERENCES.end - REFERENCES.access);
    const usual = ref < REFERENCES.transfers ? GTF.permit_access : GTF.accept_transfer;
    const also = [0, 0, GTF.readonly, GTF.sub_page, random.below(0x200)][random.below(5)];
    const flags = usual === GTF.permit_access ? usual | also : usual;
    const domid = random.below(16) === 0 ? random.below(8) : this.guest.domain.id;
    const entry = GRANT_ENTRY_V1.toBytes({ flags, domid: domid as DomainId, frame });
    this.#hypervisor.memory.writeBytes(table, 8 * (ref % ENTRIES_PER_FRAME), entry);
  }
}

function kernelCs(model: DataModel): number {
  return model === "lp64" ? 0xe033 : 0xe019;
}

/** The state in which the other virtual CPUs start: they sleep. */
function contextOf(guest: AbiGuest, entry: number, resume: number): Uint8Array {
  const root = BigInt(guest.domain.domain.vcpus[0].root!) << 12n;
  const cs = BigInt(kernelCs("ilp32"));
  return VCPU_GUEST_CONTEXT.toBytes({
    user_regs: { ...CPU_USER_REGS_64.zero(), rip: BigInt(entry), rsp: BigInt(KERNEL_STACK) },
    user_regs_32: {
      ...CPU_USER_REGS_32.zero(),
      ...{ eip: entry, esp: KERNEL_STACK, cs: Number(cs), ss: 0xe021, ds: 0xe021 },
    },
    event_callback_cs: cs,
    event_callback_eip: BigInt(resume),
    ctrlreg: [0n, 0n, 0n, root, 0n, 0n, 0n, 0n],
  }, guest.model);
}

/** Linear address of a page of the part of the initial mapping that the grammar plays with. */
export function playAddress(random: Random): bigint {
  const hot = random.below(3) !== 0;
  const pfn = FIRST_PFN + random.below(hot ? HOT_FRAMES : LAST_PFN - FIRST_PFN);
  return BigInt(VIRT_BASE + pfn * PAGE_BYTES);
}
