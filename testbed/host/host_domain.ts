/** A domain of a host as scripts have it: its console, and how to wait for it. */

import type { DomainId } from "../../core/abi/ids.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import { MachineConsole } from "../machine/serial_console.ts";
import type { MachineDebugger } from "../debugger/machine_debugger.ts";
import { disassembleAt } from "../machine/disassembly.ts";
import type {
  CpuView,
  DebugTarget,
  DisassembledLine,
  MemoryView,
  RunOptions,
  StateChanges,
  StopReason,
} from "../machine_api.ts";
import type { Cycle } from "../../core/clock/clock.ts";
import type { DomainConfig } from "./domain_config.ts";
import { DomainWindow } from "./domain_window.ts";
import type { Host } from "./host.ts";

/** A configuration whose images are read. */
export type ReadConfig = DomainConfig & { readonly kernel: Uint8Array };

/** One running domain. A debugger works on it as on a machine, with its virtual CPUs as CPUs. */
export class HostDomain implements DebugTarget {
  readonly console: MachineConsole;
  /** Made when somebody looks. */
  #window: DomainWindow | null = null;

  /** `config` is what it was created from, its images read; `null` if it came otherwise. */
  constructor(
    readonly host: Host,
    readonly domain: Domain,
    readonly config: ReadConfig | null,
    /** Takes what was typed at its console. */
    readonly receive: (bytes: Uint8Array) => void,
  ) {
    const { clock } = host.hardware;
    const { id } = domain;
    this.console = new MachineConsole({
      clock,
      run: (options) => host.run({ ...options, console: this.console }),
      receive: (bytes) => host.inputs.feed({ kind: "console", domain: id, bytes: bytes.slice() }),
    });
  }

  get id(): DomainId {
    return this.domain.id;
  }

  get name(): string {
    return this.domain.name;
  }

  get now(): Cycle {
    return this.host.hardware.clock.reached;
  }

  /** Whether its host runs. */
  get running(): boolean {
    return this.host.running;
  }

  get cpus(): readonly CpuView[] {
    return this.#look.cpus;
  }

  /** Physical addresses are the host's, as the domain's page tables have them. */
  get memory(): MemoryView {
    return this.#look.memory;
  }

  get change(): StateChanges {
    return this.#look.change;
  }

  get debugger(): MachineDebugger {
    return this.#look.debugger;
  }

  /** Runs its host. */
  async run(options: RunOptions = {}): Promise<StopReason> {
    return await this.host.run({ ...options, console: this.console });
  }

  interrupt(): void {
    this.host.interrupt();
  }

  /** Lists instructions from a linear address of one virtual CPU (default: from its RIP). */
  async disassemble(address?: bigint, count = 8, cpu = 0): Promise<DisassembledLine[]> {
    return await disassembleAt(this, address, count, cpu);
  }

  get #look(): DomainWindow {
    return this.#window ??= new DomainWindow(this);
  }
}

/** What {@link Host.run} waits for. */
export interface HostRunOptions extends RunOptions {
  /** Whose text `untilText` is. */
  readonly console?: MachineConsole;
  /** Stops when this domain has shut down. */
  readonly untilShutdown?: HostDomain;
}
