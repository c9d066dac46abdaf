/** A bench for the tests of this folder: local APICs on one bus, with CPUs that write down what they are told. */

import { type Cycle, MachineClock } from "../../clock/clock.ts";
import { ApicBus, LocalApic, type LocalApicOptions, type LocalApicPort } from "./mod.ts";

/** A CPU that records. */
export class RecordingCpu implements LocalApicPort {
  pending = false;
  readonly log: string[] = [];
  /** TSC less clock. */
  tscOffset = 0;

  setInterruptPending(pending: boolean): void {
    this.pending = pending;
  }
  nmi(): void {
    this.log.push("nmi");
  }
  init(): void {
    this.log.push("init");
  }
  sipi(vector: number): void {
    this.log.push(`sipi ${vector.toString(16)}`);
  }
  cycleOfTsc(tsc: number): Cycle {
    return tsc - this.tscOffset as Cycle;
  }
  apicPageChanged(): void {
    this.log.push("page");
  }
}

/** Builds `count` CPUs with ids from 0, all enabled by software unless `raw`. */
export function bench(
  count: number,
  options: Partial<LocalApicOptions> & { readonly raw?: boolean } = {},
): Bench {
  return new Bench(count, options);
}

/** Several local APICs, their CPUs, their bus and the clock. */
export class Bench {
  readonly clock = new MachineClock(1_000_000_000);
  readonly bus = new ApicBus();
  readonly cpus: RecordingCpu[] = [];
  readonly apics: LocalApic[] = [];
  readonly eois: number[] = [];

  constructor(count: number, options: Partial<LocalApicOptions> & { readonly raw?: boolean }) {
    this.bus.onEoi = (vector) => this.eois.push(vector);
    for (let id = 0; id < count; id++) {
      const cpu = new RecordingCpu();
      const apic = new LocalApic({
        id,
        bsp: id === 0,
        clock: this.clock,
        cpu,
        network: this.bus,
        ...options,
      });
      this.cpus.push(cpu);
      this.apics.push(apic);
      this.bus.add(apic);
      if (!options.raw) apic.writeMmio(0xf0, 4, 0x1ff);
    }
  }

  get apic(): LocalApic {
    return this.apics[0];
  }

  get cpu(): RecordingCpu {
    return this.cpus[0];
  }

  read(offset: number, cpu = 0): number {
    return this.apics[cpu].readMmio(offset, 4);
  }

  write(offset: number, value: number, cpu = 0): void {
    this.apics[cpu].writeMmio(offset, 4, value);
  }

  /** The vectors requested at `cpu`, ascending. */
  requested(cpu = 0): number[] {
    return this.vectors(0x200, cpu);
  }

  /** The vectors in service at `cpu`, ascending. */
  inService(cpu = 0): number[] {
    return this.vectors(0x100, cpu);
  }

  /** What the ESR says, which clears it. */
  errors(cpu = 0): number {
    this.write(0x280, 0, cpu);
    return this.read(0x280, cpu);
  }

  /** Moves time to `cycle`, firing what is due at each instant on the way. */
  runTo(cycle: number): void {
    while (this.clock.nextDeadline <= cycle) {
      this.clock.advanceTo(this.clock.nextDeadline as Cycle);
      this.clock.runDue();
    }
    this.clock.advanceTo(cycle as Cycle);
  }

  /** Puts `cpu` into x2APIC mode. */
  enterX2apic(cpu = 0): void {
    const { low } = this.apics[cpu].readMsr(0x1b)!;
    this.apics[cpu].writeMsr(0x1b, low | 0x400, 0);
  }

  private vectors(first: number, cpu: number): number[] {
    const found: number[] = [];
    for (let word = 0; word < 8; word++) {
      const bits = this.read(first + 16 * word, cpu);
      for (let bit = 0; bit < 32; bit++) if (bits & (1 << bit)) found.push(word * 32 + bit);
    }
    return found;
  }
}
