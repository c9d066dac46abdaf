/**
 * A domain's connection to XenStore through its shared page: bytes to requests, replies to bytes.
 *
 * Each step carries out a bounded number of requests. A guest that does not read its replies is not
 * served further; one that breaks the protocol is told in the page's `error` field, and served no more.
 */

import {
  XENSTORE_DOMAIN_INTERFACE,
  XENSTORE_ERROR,
  XENSTORE_LIMITS,
  XSD_SOCKMSG,
} from "../../core/abi/io/xs_wire.ts";
import type { MachineFrame } from "../../core/abi/ids.ts";
import type { FrameMemory } from "../../core/hypervisor/frame_memory.ts";
import { expectRecord, type Snapshot, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { ByteRing, type ByteRingPlaces } from "../rings/byte_ring.ts";
import { IDLE, type Stepper, type StepResult } from "../work.ts";
import type { StoreSession } from "./session.ts";
import { answer, eventMessage } from "./wire.ts";

/** What a connection is wired to. */
export interface RingConnectionPorts {
  readonly memory: FrameMemory;
  /** The page with the two streams. */
  readonly frame: MachineFrame;
  readonly session: StoreSession;
  /** Sends the event of the store's channel. */
  notify(): void;
}

/** Requests that one step carries out at most. */
const REQUESTS_PER_STEP = 16;
/** Replies that wait for the guest to read, in bytes, before its next request is taken. */
const OUTPUT_LIMIT = 4 * XENSTORE_LIMITS.payload;
const HEADER_BYTES = XSD_SOCKMSG.sizeBytes();
const SERVER_FEATURE_ERROR = 2;

const offsetOf = (field: keyof typeof XENSTORE_DOMAIN_INTERFACE.fields) =>
  XENSTORE_DOMAIN_INTERFACE.offsetOf(field);
const REQUESTS: ByteRingPlaces = {
  buffer: offsetOf("req"),
  sizeBytes: 1024,
  consumer: offsetOf("req_cons"),
  producer: offsetOf("req_prod"),
};
const RESPONSES: ByteRingPlaces = {
  buffer: offsetOf("rsp"),
  sizeBytes: 1024,
  consumer: offsetOf("rsp_cons"),
  producer: offsetOf("rsp_prod"),
};

/** One domain's connection; see the module comment. */
export class RingConnection implements Stepper, Snapshot {
  readonly #requests: ByteRing;
  readonly #responses: ByteRing;
  /** The beginning of a request, and what is still to be written. */
  #input: Uint8Array = new Uint8Array(0);
  #output: Uint8Array = new Uint8Array(0);
  #broken = false;

  constructor(private readonly ports: RingConnectionPorts) {
    const { memory, frame } = ports;
    this.#requests = new ByteRing(memory, frame, REQUESTS);
    this.#responses = new ByteRing(memory, frame, RESPONSES);
    memory.write32(frame, offsetOf("server_features"), SERVER_FEATURE_ERROR);
  }

  /** Whether the guest broke the protocol. */
  get isBroken(): boolean {
    return this.#broken;
  }

  /** Takes requests, and writes replies and events. */
  step(): StepResult {
    if (this.#broken) return IDLE;
    if (this.#requests.available === null || this.#responses.available === null) {
      this.#break(XENSTORE_ERROR.RINGIDX);
      this.ports.notify();
      return { done: { events: 1 }, more: false };
    }
    let storeOperations = 0;
    let moved = 0;
    for (; storeOperations < REQUESTS_PER_STEP && !this.#broken; storeOperations++) {
      const taken = this.#takeInput();
      moved += taken;
      if (!this.#serveOne()) break;
    }
    this.#queueEvents();
    const written = this.#responses.write(this.#output);
    this.#output = this.#output.slice(written);
    moved += written;
    if (moved > 0) this.ports.notify();
    const more = !this.#broken && storeOperations === REQUESTS_PER_STEP;
    return { done: { storeOperations, copiedBytes: moved, events: moved > 0 ? 1 : 0 }, more };
  }

  save(): SnapshotRecord {
    const state = {
      input: this.#input.slice(),
      output: this.#output.slice(),
      broken: this.#broken,
    };
    return { kind: "storeRing", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "storeRing", 1);
    this.#input = (state.input as Uint8Array).slice();
    this.#output = (state.output as Uint8Array).slice();
    this.#broken = state.broken as boolean;
  }

  /** Takes what waits, as far as one request may need it. */
  #takeInput(): number {
    const bytes = this.#requests.read(HEADER_BYTES + XENSTORE_LIMITS.payload - this.#input.length);
    if (bytes.length > 0) this.#input = joined(this.#input, bytes);
    return bytes.length;
  }

  /** Carries out the next request if it is complete and the guest reads its replies. */
  #serveOne(): boolean {
    if (this.#input.length < HEADER_BYTES || this.#output.length > OUTPUT_LIMIT) return false;
    const header = XSD_SOCKMSG.read(this.#input);
    if (header.len > XENSTORE_LIMITS.payload) {
      this.#break(XENSTORE_ERROR.PROTO);
      return false;
    }
    const end = HEADER_BYTES + header.len;
    if (this.#input.length < end) return false;
    const payload = this.#input.slice(HEADER_BYTES, end);
    this.#input = this.#input.slice(end);
    this.#output = joined(this.#output, answer(this.ports.session, header, payload));
    this.#queueEvents();
    return true;
  }

  #queueEvents(): void {
    const { session } = this.ports;
    while (this.#output.length <= OUTPUT_LIMIT) {
      const event = session.takeEvent();
      if (!event) return;
      this.#output = joined(this.#output, eventMessage(event));
    }
  }

  #break(error: number): void {
    this.#broken = true;
    this.ports.memory.write32(this.ports.frame, offsetOf("error"), error);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
