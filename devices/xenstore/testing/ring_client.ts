/** A guest's side of a store ring, for tests: sends messages, collects replies and events as text. */

import { XENSTORE_DOMAIN_INTERFACE, XS, XSD_SOCKMSG } from "../../../core/abi/io/xs_wire.ts";
import type { MachineFrame } from "../../../core/abi/ids.ts";
import type { FrameMemory } from "../../../core/hypervisor/frame_memory.ts";
import { ByteRing } from "../../rings/byte_ring.ts";
import { bytesOf, textOf } from "../text.ts";

const offsetOf = (field: keyof typeof XENSTORE_DOMAIN_INTERFACE.fields) =>
  XENSTORE_DOMAIN_INTERFACE.offsetOf(field);
const TYPE_NAMES = new Map<number, string>(
  Object.entries(XS).map(([name, type]): [number, string] => [type, name]),
);

/** A message as a test reads it: type's name, request id, payload with `|` for zero bytes. */
export type Message = readonly [type: string, id: number, payload: string];

/** Speaks the wire protocol from the guest's side. */
export class RingClient {
  readonly #requests: ByteRing;
  readonly #responses: ByteRing;
  #input = "";
  #nextId = 1;

  constructor(memory: FrameMemory, frame: MachineFrame) {
    const ring = (
      buffer: "req" | "rsp",
      consumer: "req_cons" | "rsp_cons",
      producer: "req_prod" | "rsp_prod",
    ) =>
      new ByteRing(memory, frame, {
        buffer: offsetOf(buffer),
        sizeBytes: 1024,
        consumer: offsetOf(consumer),
        producer: offsetOf(producer),
      });
    this.#requests = ring("req", "req_cons", "req_prod");
    this.#responses = ring("rsp", "rsp_cons", "rsp_prod");
  }

  /** The bytes of a request; `|` in the payload stands for a zero byte. */
  request(type: keyof typeof XS, payload: string, transaction = 0): Uint8Array {
    const bytes = bytesOf(payload.replaceAll("|", "\0"));
    const req_id = this.#nextId++;
    const header = { type: XS[type], req_id, tx_id: transaction, len: bytes.length };
    return new Uint8Array([...XSD_SOCKMSG.toBytes(header), ...bytes]);
  }

  /** Sends bytes as far as there is room; answers how many. */
  send(bytes: Uint8Array): number {
    return this.#requests.write(bytes);
  }

  /** Takes what came, as whole messages. */
  receive(): Message[] {
    this.#input += textOf(this.#responses.read(1024));
    const messages: Message[] = [];
    while (this.#input.length >= 16) {
      const { type, req_id, len } = XSD_SOCKMSG.read(bytesOf(this.#input.slice(0, 16)));
      if (this.#input.length < 16 + len) break;
      const payload = this.#input.slice(16, 16 + len).replaceAll("\0", "|");
      messages.push([TYPE_NAMES.get(type) ?? String(type), req_id, payload]);
      this.#input = this.#input.slice(16 + len);
    }
    return messages;
  }
}
