/** Runs the virtual CPUs of paravirtual domains on the machine's x86 CPUs. */

import { vcpu_runstate_info } from "../abi/operations.ts";
import type { Cycle, Cycles } from "../clock/clock.ts";
import type { DomainId, PhysicalCpuId } from "../lib/brand.ts";
import { expectRecord, type SnapshotRecord } from "../lib/snapshot.ts";
import { offsetOf } from "../x86/state/layout.ts";
import type { Processors } from "../x86/processors.ts";
import { callHypercall } from "./hypercalls/table.ts";
import { HypercallArguments, readArguments, writeArguments } from "./hypercalls/caller.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { GuestAccess } from "./memory/guest_access.ts";
import type { Executor, SchedulableVcpu } from "./scheduling/ports.ts";
import type { Vcpu } from "./vcpu.ts";
import { loadRegisters, saveRegisters } from "./pv/cpu_context.ts";
import { PrivilegeSwitch } from "./pv/privilege_switch.ts";
import { PvCpu } from "./pv/pv_cpu.ts";
import { RingSwitch } from "./pv/ring_switch.ts";
import { TableWrites } from "./pv/table_writes.ts";
import { loadLdtRegister } from "./pv/ldt.ts";

const RAX = offsetOf("rax");
const TWO_32 = 0x1_0000_0000;

/** One physical CPU as guests run on it. */
interface Seat {
  readonly pv: PvCpu;
  readonly guest: GuestAccess;
  /** Whose registers a snapshot took off the CPU: if it is the next to run here, that is no switch. */
  away: Vcpu | null;
}

/** See the module comment. */
export class PvExecutor implements Executor {
  readonly name = "pv";
  #hypervisor!: Hypervisor;
  #seats: Seat[] = [];

  /** `quantumCycles` is by how much physical CPUs may run apart. */
  constructor(private readonly processors: Processors, private readonly quantumCycles: number) {}

  /** Takes ring 0 of every CPU. */
  attach(hypervisor: Hypervisor): void {
    this.#hypervisor = hypervisor;
    this.#seats = this.processors.cpus.map((cpu) => {
      const guest = new GuestAccess(cpu);
      const args = new HypercallArguments();
      const pv = new PvCpu({
        guest,
        switching: {
          lp64: new PrivilegeSwitch(guest, hypervisor.upcalls),
          ilp32: new RingSwitch(guest, hypervisor.upcalls),
        },
        upcalls: hypervisor.upcalls,
        tables: hypervisor.tables,
        tableWrites: new TableWrites({
          memory: hypervisor.memory,
          frames: hypervisor.frames,
          types: hypervisor.types,
          reference: this.processors.reference,
        }),
        map: hypervisor.map,
        hypercall: (vcpu, number) => {
          const { model } = vcpu.domain;
          readArguments(cpu, model, args);
          const caller = {
            hypervisor,
            domain: vcpu.domain,
            vcpu,
            guest,
            cpu,
            inMulticall: false,
          };
          const result = callHypercall(caller, number, args);
          hypervisor.note("hypercall", number, vcpu.domain.id);
          if (result === "again") {
            writeArguments(cpu, model, args);
            pv.restartHypercall(cpu);
          } else {
            const high = model === "lp64" ? Math.floor(result / TWO_32) : 0;
            cpu.state.setHalves(RAX, result | 0, high);
          }
        },
        bill: (vcpu, cost) => hypervisor.bill(vcpu.domain.id, cost),
        crash: (vcpu, message) => hypervisor.crash(vcpu, message),
      });
      cpu.owner = pv;
      return { pv, guest, away: null };
    });
  }

  get cycle(): Cycle {
    return this.processors.cycleNow() as Cycle;
  }

  run(sched: SchedulableVcpu, cpu: PhysicalCpuId, from: Cycle, until: Cycle): Cycle {
    const vcpu = this.#vcpuOf(sched);
    const { pv } = this.#seats[cpu];
    if (pv.vcpu !== vcpu) this.#load(vcpu, cpu);
    if (until <= from) return from;
    pv.deliverUpcall(this.processors.cpus[cpu], vcpu);
    if (sched.state !== "running") return from;
    const reached = this.processors.runAlone(cpu, from, until);
    return reached + this.#billDirtyFaults(sched.domain) as Cycle;
  }

  /**
   * Bills the faults that logged stores of a stretch would have been; returns how long they take. All come at its end,
   * on every engine alike: one that fills a page at a stroke meets them earlier than one that goes byte by byte.
   */
  #billDirtyFaults(domain: DomainId): Cycles {
    const { logDirty, ports: { ledger } } = this.#hypervisor;
    const faults = logDirty.takeFaults(domain);
    return faults === 0 ? 0 as Cycles : ledger.charge(domain, "dirtyFault", faults);
  }

  interrupt(): void {
    this.processors.requestStop();
  }

  visibleAt(_sched: SchedulableVcpu, from: Cycle): Cycle {
    return from + this.quantumCycles as Cycle;
  }

  /** Whose registers a physical CPU holds, or `null`. */
  vcpuOn(cpu: number): Vcpu | null {
    return this.#seats[cpu].pv.vcpu;
  }

  /** Takes a virtual CPU's registers off the CPU that holds them. */
  unload(vcpu: Vcpu): void {
    if (vcpu.loadedOn < 0) return;
    const cpu = this.processors.cpus[vcpu.loadedOn];
    saveRegisters(cpu, vcpu.registers);
    this.#seats[vcpu.loadedOn].pv.vcpu = null;
    vcpu.loadedOn = -1;
  }

  save(sched: SchedulableVcpu): SnapshotRecord {
    const vcpu = this.#vcpuOf(sched);
    const seat = this.#seats[vcpu.loadedOn];
    if (seat) {
      this.unload(vcpu);
      seat.away = vcpu;
    }
    const onCpu = this.#seats.findIndex(({ away }) => away === vcpu);
    return { kind: "pv.vcpu", version: 2, state: { registers: vcpu.registers.slice(), onCpu } };
  }

  restore(sched: SchedulableVcpu, record: SnapshotRecord): void {
    const state = expectRecord(record, "pv.vcpu", 2);
    const vcpu = this.#vcpuOf(sched);
    this.unload(vcpu);
    vcpu.registers.set(state.registers as Uint8Array);
    this.#seats.forEach((seat, index) => {
      if (index === state.onCpu) seat.away = vcpu;
      else if (seat.away === vcpu) seat.away = null;
    });
  }

  #vcpuOf({ domain, id }: SchedulableVcpu): Vcpu {
    return this.#hypervisor.domains.get(domain)!.vcpus[id];
  }

  #load(vcpu: Vcpu, index: number): void {
    const seat = this.#seats[index];
    if (seat.pv.vcpu !== null) this.unload(seat.pv.vcpu);
    this.unload(vcpu);
    const cpu = this.processors.cpus[index];
    loadRegisters(cpu, vcpu.registers);
    loadLdtRegister(cpu, vcpu, this.#hypervisor.map);
    seat.pv.vcpu = vcpu;
    seat.guest.space = vcpu.domain.space;
    vcpu.loadedOn = index;
    const isSwitch = seat.away !== vcpu;
    seat.away = null;
    for (const other of this.#seats) if (other.away === vcpu) other.away = null;
    if (isSwitch) this.#writeRunstate(vcpu, seat);
  }

  /**
   * Where the guest wants its runstate, it finds it when it runs again. Nobody can look while it is written, so that
   * XEN_RUNSTATE_UPDATE would be set and cleared unseen.
   */
  #writeRunstate(vcpu: Vcpu, { guest }: Seat): void {
    const { runstateArea, domain } = vcpu;
    if (runstateArea === null) return;
    const info = this.#hypervisor.timers.runstate(vcpu);
    guest.write(runstateArea, vcpu_runstate_info.toBytes(info, domain.model));
  }
}
