/**
 * The back end's half of the XenBus handshake: how a device that tools wrote into XenStore comes to
 * life, connects to its front end, and goes away.
 *
 * ```
 *   back end   Initialising -> InitWait ------------------> Connected -> Closing -> Closed
 *   front end  Initialising ----------> (Initialised) ----> Connected -> Closing -> Closed
 * ```
 *
 * Source: `io/xenbus.h`; the order in which Linux's front ends and back ends take the steps.
 */

import { XENBUS_STATE, type XenbusState } from "../../core/abi/io/xenbus.ts";
import type { DomainId } from "../../core/abi/ids.ts";
import { invariant } from "../../core/lib/assert.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { StoreSession, XenStore } from "../xenstore/mod.ts";
import type { Stepper, StepResult } from "../work.ts";

/** Nodes by name, as a driver reads and writes them. */
export type Nodes = Readonly<Record<string, string>>;

/** Reads the front end's nodes: a value, or `null` if there is none. */
export type FrontNodes = (name: string) => string | null;

/** A node that holds a decimal number below 2^32, or `null`. */
export function numberNode(front: FrontNodes, name: string): number | null {
  const text = front(name) ?? "";
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : null;
}

/** What is particular about a kind of device. */
export interface BackEndDriver extends Snapshot {
  /** Nodes that tell the front end what the back end can, before either connects. */
  readonly features: Nodes;
  /** The front end is ready: answers further nodes, or why it cannot be connected to. */
  connect(front: FrontNodes): Nodes | { readonly error: string };
  disconnect(): void;
  /** The device is gone for good. */
  dispose(): void;
  step(): StepResult;
}

/** Where a device is, and whose. */
export interface XenbusDeviceOptions {
  readonly store: XenStore;
  /** Where the back end runs. */
  readonly domain: DomainId;
  /** The back end's directory, for example `/local/domain/0/backend/vbd/1/51712`. */
  readonly path: string;
  readonly driver: BackEndDriver;
  /** There is something to do: whoever runs the device calls {@link XenbusDevice.step}. */
  readonly wake: () => void;
  /** Tools took the device off line, and both halves have closed: it may be destroyed. */
  readonly onUnplugged?: () => void;
}

/** Front-end states in which a back end that waits connects. */
const READY: readonly number[] = [XENBUS_STATE.Initialised, XENBUS_STATE.Connected];

/** One device; see the module comment. */
export class XenbusDevice implements Stepper, Snapshot {
  readonly path: string;
  readonly frontPath: string;
  readonly driver: BackEndDriver;
  readonly #store: XenStore;
  readonly #open: (domain: DomainId) => StoreSession;
  #session: StoreSession;
  /** Its domain is gone, and the driver with it. */
  #isLost = false;
  readonly #onUnplugged: () => void;
  #state: XenbusState = XENBUS_STATE.Initialising;

  /** Throws `RangeError` if tools have not written the back end's node `frontend`. */
  constructor({ store, domain, path, driver, wake, onUnplugged }: XenbusDeviceOptions) {
    this.path = path;
    this.driver = driver;
    this.#store = store;
    this.#onUnplugged = onUnplugged ?? (() => {});
    this.#open = (owner) => store.open(owner, { name: path, onEvent: wake });
    this.#session = this.#open(domain);
    const front = this.#session.readText(`${path}/frontend`);
    if (front === null) {
      store.close(this.#session);
      throw new RangeError(`${path} has no node "frontend"`);
    }
    this.frontPath = front;
    this.#watch();
    this.#offer();
  }

  /** The back end's state. */
  get state(): XenbusState {
    return this.#state;
  }

  /** Reacts to the front end's state, then lets the driver work. */
  step(): StepResult {
    let storeOperations = 0;
    while (this.#session.takeEvent()) {
      this.#react();
      storeOperations++;
    }
    if (this.#state !== XENBUS_STATE.Connected) {
      const gone = storeOperations > 0 && this.#state === XENBUS_STATE.Closed && this.#isOffline;
      if (gone) this.#onUnplugged();
      return { done: { storeOperations }, more: false };
    }
    const { done, more } = this.driver.step();
    return { done: { ...done, storeOperations }, more };
  }

  /**
   * The back end's domain goes, and with it the driver: the front end is asked to close. What remains of the device is domain
   * 0's, which unplugs it when that has happened.
   */
  lose(): void {
    this.#dispose();
    this.#isLost = true;
    this.#store.close(this.#session);
    this.#session = this.#open(0 as DomainId);
    this.#watch();
    this.#session.write(`${this.path}/online`, "0");
    this.#enter(XENBUS_STATE.Closing);
  }

  /** Takes the device away at once: the front end is told, and nothing of it is used any more. */
  destroy(): void {
    if (!this.#isLost) this.#dispose();
    this.#enter(XENBUS_STATE.Closed);
    this.#store.close(this.#session);
  }

  save(): SnapshotRecord {
    const state = { state: this.#state, driver: { ...this.driver.save() } };
    return { kind: "xenbusDevice", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "xenbusDevice", 1);
    this.#state = state.state as XenbusState;
    this.driver.restore(state.driver as unknown as SnapshotRecord);
  }

  #dispose(): void {
    if (this.#state === XENBUS_STATE.Connected) this.driver.disconnect();
    this.driver.dispose();
  }

  #watch(): void {
    this.#session.watch(`${this.path}/online`, "online");
    this.#session.watch(`${this.frontPath}/state`, "front");
  }

  #react(): void {
    const front = Number(this.#session.readText(`${this.frontPath}/state`) ?? XENBUS_STATE.Unknown);
    const waiting = this.#state === XENBUS_STATE.InitWait;
    if (waiting && READY.includes(front)) return this.#connect();
    if (front === XENBUS_STATE.Initialising && this.#state === XENBUS_STATE.Closed) {
      return this.#offer();
    }
    const leaving = front === XENBUS_STATE.Closing || front === XENBUS_STATE.Closed ||
      front === XENBUS_STATE.Unknown;
    if (!leaving) return this.#closeIfOffline();
    if (this.#state === XENBUS_STATE.Connected) this.driver.disconnect();
    if (front === XENBUS_STATE.Closing) this.#enter(XENBUS_STATE.Closing);
    else if (front === XENBUS_STATE.Closed) this.#enter(XENBUS_STATE.Closed);
    else if (this.#state === XENBUS_STATE.Connected) this.#enter(XENBUS_STATE.Closed);
  }

  get #isOffline(): boolean {
    return this.#session.readText(`${this.path}/online`) === "0";
  }

  /** Tools unplug a device by writing 0 to `online`: the front end is asked to close. */
  #closeIfOffline(): void {
    if (this.#isOffline && this.#state === XENBUS_STATE.Connected) {
      this.driver.disconnect();
      this.#enter(XENBUS_STATE.Closing);
    }
  }

  #offer(): void {
    this.#writeNodes(this.driver.features);
    this.#enter(XENBUS_STATE.InitWait);
  }

  #connect(): void {
    const outcome = this.driver.connect((name) =>
      this.#session.readText(`${this.frontPath}/${name}`)
    );
    if (isFailure(outcome)) {
      this.#session.write(`${this.path}/error`, outcome.error);
      this.#enter(XENBUS_STATE.Closing);
      return;
    }
    this.#writeNodes(outcome);
    this.#enter(XENBUS_STATE.Connected);
  }

  #writeNodes(nodes: Nodes): void {
    for (const [name, value] of Object.entries(nodes)) {
      const failed = this.#session.write(`${this.path}/${name}`, value);
      invariant(!failed, `${this.path}/${name} cannot be written: ${failed}`);
    }
  }

  #enter(state: XenbusState): void {
    if (this.#state === state && state !== XENBUS_STATE.InitWait) return;
    this.#state = state;
    this.#session.write(`${this.path}/state`, String(state));
  }
}

function isFailure(outcome: Nodes | { readonly error: string }): outcome is { error: string } {
  return typeof outcome.error === "string";
}
