/**
 * Where back ends run, and who pays for their work: on a virtual CPU of domain 0 or of a driver domain, which is scheduled
 * as any other, or in the hypervisor, on the physical CPU where the front end's domain runs
 * (docs/decisions/0012-back_ends.md).
 */

import type { DomainId } from "../../core/abi/ids.ts";
import type { Cycle, MachineClock, Timer } from "../../core/clock/clock.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import { ModelExecutor } from "../../core/hypervisor/executors/model_executor.ts";
import { ProgramRegistry } from "../../core/hypervisor/executors/model_program.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import type { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import type { Executor, SchedulableVcpu } from "../../core/hypervisor/scheduling/ports.ts";
import {
  BACK_ENDS,
  type BackEndHost,
  backEndProgram,
  BackEndService,
} from "../../devices/pv/mod.ts";

/** What a place is made in. */
export interface PlaceParts {
  readonly hypervisor: Hypervisor;
  readonly dispatcher: CpuDispatcher;
  readonly clock: MachineClock;
}

/** Somewhere that back ends run. */
export interface BackEndPlace {
  /** The domain that they act for, and its means. */
  readonly host: BackEndHost;
  readonly service: BackEndService;
}

/** A virtual CPU whose work is that of back ends. */
export class VcpuPlace implements BackEndPlace {
  readonly host: BackEndHost;
  readonly service: BackEndService;
  readonly vcpu: SchedulableVcpu;
  readonly #executor: ModelExecutor<BackEndService>;

  /** `employ` makes the virtual CPU that the executor is to run. */
  constructor(
    { hypervisor, dispatcher, clock }: PlaceParts,
    employ: (executor: Executor) => SchedulableVcpu,
  ) {
    const executor = this.#executor = new ModelExecutor<BackEndService>({
      clock,
      dispatcher,
      programs: new ProgramRegistry([backEndProgram]),
      port: () => this.service,
    });
    const vcpu = this.vcpu = employ(executor);
    this.host = means(hypervisor, vcpu.domain);
    const { ledger } = hypervisor.ports;
    this.service = new BackEndService(
      (done) => ledger.chargeAll(vcpu.domain, done),
      () => executor.signal(vcpu, BACK_ENDS.signal),
    );
    executor.attach(vcpu);
    executor.spawn(vcpu, BACK_ENDS.program, BACK_ENDS.step);
  }

  /** The virtual CPU is gone. */
  close(): void {
    this.#executor.detach(this.vcpu);
  }
}

/**
 * The hypervisor itself, for the devices of one domain: what their back ends do is billed to that domain, and takes the time
 * of the physical CPU on which it runs, whoever holds that. One step follows the other when the first is paid for.
 */
export class HypervisorPlace implements BackEndPlace {
  readonly host: BackEndHost;
  readonly service: BackEndService;
  readonly #parts: PlaceParts;
  readonly #front: Domain;
  readonly #timer: Timer;

  /** For the devices of `front`; the back ends act in the name of domain 0, which nobody has to know of. */
  constructor(parts: PlaceParts, front: Domain) {
    this.#parts = parts;
    this.#front = front;
    const { hypervisor, clock } = parts;
    this.host = means(hypervisor, 0 as DomainId);
    const { ledger } = hypervisor.ports;
    this.#timer = clock.createTimer(`back ends of ${front.id}`, () => this.#serve());
    this.service = new BackEndService(
      (done) => ledger.chargeAll(front.id, done),
      () => {
        if (this.#timer.deadline === null) this.#timer.armAt(clock.now + 1 as Cycle);
      },
    );
  }

  close(): void {
    this.#timer.release();
  }

  #serve(): void {
    const cycles = this.service.serve();
    if (cycles === null) return;
    const { dispatcher, clock } = this.#parts;
    const [vcpu] = this.#front.vcpus;
    dispatcher.occupy(vcpu.sched.cpu, cycles);
    this.#timer.armAt(clock.now + Math.max(1, cycles) as Cycle);
  }
}

function means({ events, grants, memory }: Hypervisor, domain: DomainId): BackEndHost {
  return { domain, events, grants, memory };
}
