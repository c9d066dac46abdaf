/**
 * What every domain finds when it starts: a console, a connection to XenStore, and its home there.
 *
 * Source of the nodes: Xen's `docs/misc/xenstore-paths.pandoc`.
 */

import { isErrno } from "../../core/abi/errno.ts";
import {
  type DomainId,
  DOMID,
  type EventPort,
  type GrantReference,
  type GuestFrame,
  type MachineFrame,
} from "../../core/abi/ids.ts";
import { GNTTAB_RESERVED } from "../../core/abi/grant_table.ts";
import type { Domain } from "../../core/hypervisor/domain.ts";
import type { Hypervisor } from "../../core/hypervisor/hypervisor.ts";
import { invariant } from "../../core/lib/assert.ts";
import { ConsoleBackEnd } from "../../devices/pv/console/mod.ts";
import type { Stepper } from "../../devices/work.ts";
import {
  domainPath,
  type Permissions,
  RingConnection,
  type StoreSession,
  type XenStore,
} from "../../devices/xenstore/mod.ts";
import type { BackEndRunner } from "./back_end_runner.ts";

const DOM0 = 0 as DomainId;
const KIB_PER_PAGE = 4;

/** Parts of a host that services use. */
export interface ServiceParts {
  readonly hypervisor: Hypervisor;
  readonly store: XenStore;
  readonly runner: BackEndRunner;
}

/** The channels that a domain's start information names. */
export interface ServicePorts {
  readonly consolePort: EventPort;
  readonly storePort: EventPort;
}

/** The services of one domain. */
export class DomainServices implements ServicePorts {
  readonly consolePort: EventPort;
  readonly storePort: EventPort;
  #console: ConsoleBackEnd | null = null;
  #connection: RingConnection | null = null;
  #session: StoreSession | null = null;

  constructor(private readonly parts: ServiceParts, private readonly domain: Domain) {
    this.consolePort = this.#reserve();
    this.storePort = this.#reserve();
  }

  /** The frames are there: connects both services and writes the domain's home. */
  start(frames: {
    readonly consoleFrame: MachineFrame;
    readonly storeFrame: MachineFrame;
    output(bytes: Uint8Array): void;
  }): void {
    const { hypervisor, store, runner } = this.parts;
    const { id } = this.domain;
    const { memory, grants } = hypervisor;
    const grant = (ref: number, frame: MachineFrame) =>
      grants.grant(id, ref as GrantReference, DOM0, frame as number as GuestFrame);
    grant(GNTTAB_RESERVED.CONSOLE, frames.consoleFrame);
    grant(GNTTAB_RESERVED.XENSTORE, frames.storeFrame);
    this.#console = this.#connect("console", this.consolePort, (notify) =>
      new ConsoleBackEnd({
        memory,
        frame: frames.consoleFrame,
        output: frames.output,
        notify,
      }));
    this.#writeHome(frames);
    const session = store.open(id, {
      onEvent: () => this.#connection && runner.wake(this.#connection),
    });
    this.#session = session;
    this.#connection = this.#connect(
      "store",
      this.storePort,
      (notify) => new RingConnection({ memory, frame: frames.storeFrame, session, notify }),
    );
    store.open(DOM0).introduce(id);
  }

  /** Types into the console. */
  send(bytes: Uint8Array): void {
    if (this.#console === null) return;
    this.#console.send(bytes);
    this.parts.runner.wake(this.#console);
  }

  /** The domain is gone. */
  stop(): void {
    const { store, runner, hypervisor } = this.parts;
    for (const stepper of [this.#console, this.#connection]) if (stepper) runner.forget(stepper);
    for (const name of ["console", "store"]) {
      hypervisor.events.unregisterConsumer(`${name}.${this.domain.id}`);
    }
    if (this.#session) store.close(this.#session);
    store.domainDied(this.domain.id);
    store.open(DOM0).remove(domainPath(this.domain.id));
  }

  #reserve(): EventPort {
    const { events } = this.parts.hypervisor;
    const port = events.allocUnbound(this.domain.id, DOMID.SELF, DOM0);
    invariant(!isErrno(port), `domain ${this.domain.id} gets no event channel for its services`);
    return port;
  }

  /** Makes a back end at the other end of `port`. */
  #connect<T extends Stepper>(
    name: string,
    port: EventPort,
    make: (notify: () => void) => T,
  ): T {
    const { hypervisor: { events }, runner } = this.parts;
    const consumer = `${name}.${this.domain.id}`;
    let local: EventPort | null = null;
    const back = make(() => {
      if (local !== null) events.sendAsConsumer(DOM0, local);
    });
    events.registerConsumer(consumer, () => runner.wake(back));
    const bound = events.bindInterdomain(DOM0, this.domain.id, port, { consumer });
    invariant(!isErrno(bound), `the channel of ${consumer} cannot be bound`);
    local = bound;
    return back;
  }

  #writeHome(frames: { readonly consoleFrame: MachineFrame; readonly storeFrame: MachineFrame }) {
    const { domain } = this;
    const session = this.parts.store.open(DOM0);
    const home = domainPath(domain.id);
    const shown: Permissions = [{ domain: DOM0, access: "n" }, { domain: domain.id, access: "r" }];
    const own: Permissions = [{ domain: domain.id, access: "n" }];
    const put = (path: string, value: string, permissions: Permissions) => {
      session.write(`${home}${path}`, value);
      session.setPermissions(`${home}${path}`, permissions);
    };
    put("", "", shown);
    const nodes: readonly (readonly [path: string, value: string])[] = [
      ["/name", domain.name],
      ["/domid", String(domain.id)],
      ["/cpu", ""],
      ...domain.vcpus.map(({ id }): [string, string] => [`/cpu/${id}/availability`, "online"]),
      ["/memory", ""],
      ["/memory/static-max", String(domain.maxPages * KIB_PER_PAGE)],
      ["/memory/target", String(domain.pages * KIB_PER_PAGE)],
      ["/console", ""],
      ["/console/ring-ref", String(frames.consoleFrame)],
      ["/console/port", String(this.consolePort)],
      ["/console/type", "xenconsoled"],
      ["/console/limit", "1048576"],
      ["/store", ""],
      ["/store/ring-ref", String(frames.storeFrame)],
      ["/store/port", String(this.storePort)],
      ["/device", ""],
      ["/control", ""],
      ["/control/platform-feature-multiprocessor-suspend", "1"],
    ];
    for (const [path, value] of nodes) put(path, value, shown);
    for (const path of ["/data", "/control/shutdown", "/control/sysrq"]) put(path, "", own);
  }
}
