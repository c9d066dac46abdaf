/** The LDT register of a CPU that runs a paravirtual guest: the guest's descriptors as its area shows them. */

import type { Cpu } from "../../x86/cpu.ts";
import {
  installNull,
  Segment,
  SEGMENT_FIELDS,
  setBounds,
} from "../../x86/system/segment_fields.ts";
import type { MachineMap } from "../memory/machine_map.ts";
import type { Vcpu } from "../vcpu.ts";

const LDT = SEGMENT_FIELDS[Segment.ldtr];
/** Present, type LDT. */
const LDT_ATTRIBUTES = 0x82;
const DESCRIPTOR_BYTES = 8;

/** Loads LDTR as the virtual CPU's last `MMUEXT_SET_LDT` says. */
export function loadLdtRegister(cpu: Cpu, vcpu: Vcpu, map: MachineMap): void {
  const { entries } = vcpu.ldt;
  if (entries === 0) {
    installNull(cpu.state, Segment.ldtr, 0);
    return;
  }
  const address = map.ldtAddress(vcpu.id);
  cpu.state.i32[LDT.base] = address | 0;
  cpu.state.i32[LDT.base + 1] = Math.floor(address / 0x1_0000_0000);
  setBounds(cpu.state, Segment.ldtr, LDT_ATTRIBUTES, entries * DESCRIPTOR_BYTES - 1);
}
