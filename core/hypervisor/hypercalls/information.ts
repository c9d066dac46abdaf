/** What the hypervisor is, and its console: `xen_version`, `console_io`. Source: Xen 4.17's `version.h`, `xen.h`. */

import { ERRNO } from "../../abi/errno.ts";
import { XENFEAT, XENVER } from "../../abi/operations.ts";
import { CONSOLEIO } from "../../abi/xen.ts";
import { XEN_VERSION } from "../version.ts";
import type { Caller, Hypercall } from "./caller.ts";
import { LongList } from "./structures.ts";

/** Sizes of the text arguments in `version.h`. */
const EXTRAVERSION_BYTES = 16;
const CAPABILITIES_BYTES = 1024;
const CHANGESET_BYTES = 64;
const COMPILE_INFO = { compiler: 64, compileBy: 16, compileDomain: 32, compileDate: 32 } as const;
/** Longest text of one `CONSOLEIO_write`. */
const CONSOLE_LIMIT = 4096;

const FEATURES: number = 1 << XENFEAT.mmu_pt_update_preserve_ad |
  1 << XENFEAT.pae_pgdir_above_4gb | 1 << XENFEAT.highmem_assist |
  1 << XENFEAT.gnttab_map_avail_bits | 1 << XENFEAT.memory_op_vnode_supported;

/** `text` in a field of `bytes`, closed by a NUL. */
function field(text: string, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 0; i < Math.min(text.length, bytes - 1); i++) out[i] = text.charCodeAt(i);
  return out;
}

function compileInfo(): Uint8Array {
  const parts = (Object.entries(COMPILE_INFO) as [keyof typeof COMPILE_INFO, number][])
    .map(([name, bytes]) => field(XEN_VERSION[name], bytes));
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function put({ guest }: Caller, at: number, bytes: Uint8Array): number {
  return guest.write(at, bytes) ? 0 : ERRNO.EFAULT;
}

/** The submap that the structure at `at` asks for. */
function features(caller: Caller, at: number): number {
  const words = new Int32Array(2);
  if (!caller.guest.readWords(at, words, 1)) return ERRNO.EFAULT;
  if (words[0] !== 0) return ERRNO.EINVAL;
  words[1] = FEATURES | (caller.domain.privileged ? 1 << XENFEAT.dom0 : 0);
  return caller.guest.writeWords(at, words, 2) ? 0 : ERRNO.EFAULT;
}

/** `xen_version`: command, argument. */
export const xenVersion: Hypercall = (caller, args) => {
  const at = args.number(1);
  switch (args.u32(0)) {
    case XENVER.version:
      return XEN_VERSION.major << 16 | XEN_VERSION.minor;
    case XENVER.extraversion:
      return put(caller, at, field(XEN_VERSION.extraversion, EXTRAVERSION_BYTES));
    case XENVER.compile_info:
      return put(caller, at, compileInfo());
    case XENVER.capabilities:
      return put(caller, at, field(XEN_VERSION.capabilities, CAPABILITIES_BYTES));
    case XENVER.changeset:
      return put(caller, at, field(XEN_VERSION.changeset, CHANGESET_BYTES));
    case XENVER.platform_parameters: {
      const { hypervisorStart } = caller.domain.space;
      return new LongList(caller, at).set(0, hypervisorStart) ? 0 : ERRNO.EFAULT;
    }
    case XENVER.get_features:
      return features(caller, at);
    case XENVER.pagesize:
      return 4096;
    case XENVER.guest_handle:
      return put(caller, at, new Uint8Array(16));
    case XENVER.commandline:
      return put(caller, at, field("", CAPABILITIES_BYTES));
    case XENVER.build_id:
      return ERRNO.ENODATA;
    default:
      return ERRNO.ENOSYS;
  }
};

/** `console_io`: command, count, address. What a guest writes goes to the hypervisor's console. */
export const consoleIo: Hypercall = (caller, args) => {
  const { hypervisor, domain, guest } = caller;
  switch (args.u32(0)) {
    case CONSOLEIO.write: {
      const bytes = new Uint8Array(Math.min(args.u32(1), CONSOLE_LIMIT));
      if (!guest.read(args.number(2), bytes)) return ERRNO.EFAULT;
      hypervisor.ports.emergencyConsole(domain.id, bytes);
      return 0;
    }
    case CONSOLEIO.read:
      return 0;
    default:
      return ERRNO.ENOSYS;
  }
};
