/** Puts a planned paravirtual domain into a hypervisor: memory, tables, first virtual CPU. */

import { CPU_USER_REGS, FLAT, VCPU_GUEST_CONTEXT } from "../../core/abi/arch_x86.ts";
import { VCPU_GUEST_CONTEXT_BYTES, VGCF } from "../../core/abi/arch_x86.ts";
import { errnoName, isErrno } from "../../core/abi/errno.ts";
import type { MachineFrame } from "../../core/abi/ids.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import { hypercallPage } from "../../core/hypervisor/hypercall_page.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import { initialiseVcpu } from "../../core/hypervisor/pv/guest_context.ts";
import { planPv } from "../../guests/linux/mod.ts";

const PAGE_BYTES = 4096;
const INTERRUPTS_ON = 0x200n;

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
    hypervisor.memory.writeBytes(frames[plan.hypercallPfn], 0, hypercallPage());
  }
  const root = frames[plan.rootPfn];
  expectDone("the initial page tables", hypervisor.tables.pin(domain, 4, root));
  const context = firstContext(plan, root);
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
): Uint8Array {
  const bytes = new Uint8Array(VCPU_GUEST_CONTEXT_BYTES);
  const view = new DataView(bytes.buffer);
  const user = (name: keyof typeof CPU_USER_REGS, value: bigint) =>
    view.setBigUint64(VCPU_GUEST_CONTEXT.user_regs + CPU_USER_REGS[name], value, true);
  user("rip", plan.entry);
  user("rsp", plan.stack);
  user("rsi", plan.startInfo);
  user("rflags", INTERRUPTS_ON);
  user("cs", BigInt(FLAT.KERNEL_CS));
  user("ss", BigInt(FLAT.KERNEL_SS));
  view.setBigUint64(VCPU_GUEST_CONTEXT.flags, BigInt(VGCF.in_kernel | VGCF.online), true);
  view.setBigUint64(VCPU_GUEST_CONTEXT.kernel_sp, plan.stack, true);
  view.setBigUint64(VCPU_GUEST_CONTEXT.ctrlreg + 24, BigInt(root) << 12n, true);
  return bytes;
}

function expectDone(what: string, result: number): void {
  if (result !== 0) {
    throw new Error(`${what} of the domain were refused: ${errnoName(result)}`);
  }
}
