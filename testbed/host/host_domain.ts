/** A domain of a host as scripts have it: its console, and how to wait for it. */

import type { DomainId } from "../../core/abi/ids.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import { MachineConsole } from "../machine/serial_console.ts";
import type { RunOptions } from "../machine_api.ts";
import type { DomainConfig } from "./domain_config.ts";
import type { Host } from "./host.ts";

/** A configuration whose images are read. */
export type ReadConfig = DomainConfig & { readonly kernel: Uint8Array };

/** One running domain. */
export class HostDomain {
  readonly console: MachineConsole;

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
}

/** What {@link Host.run} waits for. */
export interface HostRunOptions extends RunOptions {
  /** Whose text `untilText` is. */
  readonly console?: MachineConsole;
  /** Stops when this domain has shut down. */
  readonly untilShutdown?: HostDomain;
}
