/** Puts a planned paravirtual domain into a hypervisor: memory, tables, first virtual CPU. */

import {
  CPU_USER_REGS_32,
  CPU_USER_REGS_64,
  FLAT,
  FLAT32,
  VCPU_GUEST_CONTEXT,
  VGCF,
} from "../../core/abi/arch_x86.ts";
import { errnoName, isErrno } from "../../core/abi/errno.ts";
import type { MachineFrame } from "../../core/abi/ids.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import { hypercallPage } from "../../core/hypervisor/hypercall_page.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import type { DataModel } from "../../core/abi/struct_layout.ts";
import { initialiseVcpu, paeCr3Of } from "../../core/hypervisor/pv/guest_context.ts";
import { planPv } from "../../guests/linux/mod.ts";

const PAGE_BYTES = 4096;
const INTERRUPTS_ON = 0x200;
const CONTROL_REGISTERS = 8;

/** What goes into a domain. */
export interface PvDomainImage {
  readonly kernel: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly commandLine: string;
  readonly pages: number;
  readonly consolePort: number;
  readonly storePort: number;
}

/** The frames that the domain shares with its console and its store. */
export interface BuiltDomain {
  readonly consoleFrame: MachineFrame;
  readonly storeFrame: MachineFrame;
}

/** Fills `domain`, which has no memory yet. Throws `BootError` for the image, `RangeError` for lack of memory. */
export function buildPvDomain(
  hypervisor: Hypervisor,
  domain: Domain,
  image: PvDomainImage,
): BuiltDomain {
  const frames = populate(hypervisor, domain, image.pages);
  const plan = planPv({
    ...image,
    mfnOf: (pfn) => frames[pfn],
    sharedInfo: domain.sharedInfo,
  });
  for (const { pfn, bytes } of plan.writes) {
    for (let done = 0; done < bytes.length; done += PAGE_BYTES) {
      const frame = frames[pfn + done / PAGE_BYTES];
      hypervisor.memory.writeBytes(frame, 0, bytes.subarray(done, done + PAGE_BYTES));
    }
  }
  if (plan.hypercallPfn !== null) {
    hypervisor.memory.writeBytes(frames[plan.hypercallPfn], 0, hypercallPage(domain.model));
  }
  const root = frames[plan.rootPfn];
  expectDone("the initial page tables", hypervisor.tables.pin(domain, domain.space.levels, root));
  const context = firstContext(plan, root, domain.model);
  const [cpu] = hypervisor.ports.processors.cpus;
  const [vcpu] = domain.vcpus;
  expectDone("the first virtual CPU", initialiseVcpu(hypervisor, cpu, vcpu, context));
  hypervisor.bringUp(vcpu);
  return { consoleFrame: frames[plan.consolePfn], storeFrame: frames[plan.storePfn] };
}

function populate(hypervisor: Hypervisor, domain: Domain, pages: number): MachineFrame[] {
  return Array.from({ length: pages }, (_, pfn) => {
    const frame = hypervisor.reservations.populate(domain);
    if (isErrno(frame)) {
      throw new RangeError(
        `the machine has ${pfn} pages left for domain ${domain.name}, which needs ${pages}`,
      );
    }
    hypervisor.map.setPfn(frame, pfn);
    return frame;
  });
}

function firstContext(
  plan: { readonly entry: bigint; readonly stack: bigint; readonly startInfo: bigint },
  root: MachineFrame,
  model: DataModel,
): Uint8Array {
  const wide = model === "lp64";
  const ctrlreg = new Array<bigint>(CONTROL_REGISTERS).fill(0n);
  ctrlreg[3] = wide ? BigInt(root) << 12n : BigInt(paeCr3Of(root));
  const data = FLAT32.KERNEL_DS;
  return VCPU_GUEST_CONTEXT.toBytes({
    flags: BigInt(VGCF.in_kernel | VGCF.online),
    user_regs: {
      ...CPU_USER_REGS_64.zero(),
      rip: plan.entry,
      rsp: plan.stack,
      rsi: plan.startInfo,
      rflags: BigInt(INTERRUPTS_ON),
      cs: BigInt(FLAT.KERNEL_CS),
      ss: BigInt(FLAT.KERNEL_SS),
    },
    user_regs_32: {
      ...CPU_USER_REGS_32.zero(),
      eip: Number(plan.entry),
      esp: Number(plan.stack),
      esi: Number(plan.startInfo),
      eflags: INTERRUPTS_ON,
      cs: FLAT32.KERNEL_CS,
      ...{ ss: data, ds: data, es: data, fs: data, gs: data },
    },
    kernel_ss: BigInt(wide ? FLAT.KERNEL_SS : FLAT32.KERNEL_DS),
    kernel_sp: plan.stack,
    ctrlreg,
  }, model);
}

function expectDone(what: string, result: number): void {
  if (result !== 0) {
    throw new Error(`${what} of the domain were refused: ${errnoName(result)}`);
  }
}
