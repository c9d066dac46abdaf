/**
 * Sockets of the Unix domain: streams between processes of one kernel, found by a path (`net/unix` of Linux 2.4).
 *
 * A write may carry a message, plain data that stands for its bytes: whoever reads its last byte gets it.
 */

import {
  copyOfValue,
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../core/lib/snapshot.ts";
import type { Arguments } from "../kernel/action.ts";
import type { Descriptors, FileKind, OpenFile, Readiness } from "../kernel/descriptors.ts";
import { ERRNO } from "../kernel/errno.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { BLOCKED, type CallContext, type KernelModule, type Outcome } from "../kernel/module.ts";

/** What waits in one direction at most (`sysctl_wmem_default` of 2.4). */
const CAPACITY_BYTES = 65_535;
/** Cycles of the kernel's own instructions. */
const WORK = { connect: 6000, accept: 3500, send: 2600, receive: 2000, close: 1500, sleep: 300 };

/** Bytes on their way, and what they mean. */
interface Piece {
  bytes: number;
  readonly message: SnapshotValue;
}

/** One end of a connection: what it has still to read. */
interface End {
  readonly id: number;
  readonly peer: number;
  queue: Piece[];
  bytes: number;
  isOpen: boolean;
}

interface Listener {
  readonly id: number;
  readonly path: string;
  /** Ends that nobody has accepted yet. */
  readonly waiting: number[];
}

/** See the module comment. */
export class UnixSockets implements KernelModule {
  readonly name = "unix sockets";
  readonly calls = {
    /** `{ path }`: returns a descriptor to accept from. */
    unix_listen: (context: CallContext, args: Arguments) => this.#listen(context, args),
    /** `{ fd }`: sleeps until somebody connects; returns a descriptor. */
    unix_accept: (context: CallContext, args: Arguments) => this.#accept(context, args),
    /** `{ path }`: returns a descriptor. */
    unix_connect: (context: CallContext, args: Arguments) => this.#connect(context, args),
  };
  readonly #listeners = new Map<number, Listener>();
  readonly #ends = new Map<number, End>();
  #nextId = 1;

  constructor(private readonly kernel: Kernel, private readonly descriptors: Descriptors) {
    descriptors.addKind(this.#endKind());
    descriptors.addKind(this.#listenerKind());
  }

  save(): SnapshotRecord {
    const copy = (values: Iterable<unknown>) => copyOfValue([...values] as SnapshotValue);
    const state = {
      nextId: this.#nextId,
      listeners: copy(this.#listeners.values()),
      ends: copy(this.#ends.values()),
    };
    return { kind: "unix sockets", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "unix sockets", 1);
    this.#nextId = state.nextId as number;
    this.#listeners.clear();
    this.#ends.clear();
    for (const each of copyOfValue(state.listeners) as unknown as Listener[]) {
      this.#listeners.set(each.id, each);
    }
    for (const each of copyOfValue(state.ends) as unknown as End[]) this.#ends.set(each.id, each);
  }

  #listen({ process }: CallContext, { path }: Arguments): Outcome {
    if (this.#listenerAt(String(path))) return ERRNO.EADDRINUSE;
    const id = this.#nextId++;
    this.#listeners.set(id, { id, path: String(path), waiting: [] });
    return this.descriptors.open(process, "unix listener", id);
  }

  #connect({ kernel, process }: CallContext, { path }: Arguments): Outcome {
    kernel.work(WORK.connect);
    kernel.charge("calls", 12);
    kernel.charge("userCopies");
    const listener = this.#listenerAt(String(path));
    if (!listener) return ERRNO.ECONNREFUSED;
    const [near, far] = [this.#nextId++, this.#nextId++];
    this.#ends.set(near, { id: near, peer: far, queue: [], bytes: 0, isOpen: true });
    this.#ends.set(far, { id: far, peer: near, queue: [], bytes: 0, isOpen: true });
    listener.waiting.push(far);
    kernel.wakeQueue(connectQueue(listener.id), 1);
    return this.descriptors.open(process, "unix socket", near);
  }

  #accept({ kernel, process, entries }: CallContext, { fd }: Arguments): Outcome {
    const file = this.descriptors.get(process, Number(fd));
    const listener = file?.kind === "unix listener" ? this.#listeners.get(file.object) : undefined;
    if (!listener) return ERRNO.EINVAL;
    if (entries === 0) kernel.work(WORK.accept);
    const end = listener.waiting.shift();
    if (end !== undefined) return this.descriptors.open(process, "unix socket", end);
    kernel.sleepOn(process, connectQueue(listener.id));
    return BLOCKED;
  }

  #listenerAt(path: string): Listener | undefined {
    return [...this.#listeners.values()].find((each) => each.path === path);
  }

  #endKind(): FileKind {
    return {
      name: "unix socket",
      read: (context, file, args) => this.#read(context, file, args),
      write: (context, file, args) => this.#write(context, file, args),
      close: (_, { object }) => this.#close(object),
      poll: ({ object }) => this.#poll(object),
      queues: ({ object }) => [filledQueue(object), emptiedQueue(this.#ends.get(object)!.peer)],
    };
  }

  #listenerKind(): FileKind {
    return {
      name: "unix listener",
      read: () => ERRNO.EINVAL,
      write: () => ERRNO.EINVAL,
      close: (_, { object }) => void this.#listeners.delete(object),
      poll: ({ object }) => ({
        readable: this.#listeners.get(object)!.waiting.length > 0,
        writable: false,
      }),
      queues: ({ object }) => [connectQueue(object)],
    };
  }

  /** With `message: true` it returns the message of the last piece that was read, or 0 at the end of the stream. */
  #read({ kernel, process }: CallContext, { object }: OpenFile, args: Arguments): Outcome {
    const end = this.#ends.get(object)!;
    if (end.bytes === 0) {
      if (!this.#isOpen(end.peer)) return 0;
      kernel.work(WORK.sleep);
      kernel.sleepOn(process, filledQueue(object));
      return BLOCKED;
    }
    let left = Math.min(Number(args.bytes), end.bytes);
    const count = left;
    let message: SnapshotValue = null;
    while (left > 0) {
      const [piece] = end.queue;
      const taken = Math.min(left, piece.bytes);
      piece.bytes -= taken;
      left -= taken;
      if (piece.bytes > 0) break;
      message = piece.message;
      end.queue.shift();
    }
    end.bytes -= count;
    this.#moved(WORK.receive, count);
    kernel.wakeQueue(emptiedQueue(object));
    return args.message === true ? message : count;
  }

  #write({ kernel, process }: CallContext, { object }: OpenFile, args: Arguments): Outcome {
    const peer = this.#ends.get(this.#ends.get(object)!.peer);
    if (!peer?.isOpen) return ERRNO.EPIPE;
    const bytes = Number(args.bytes);
    if (peer.bytes > 0 && peer.bytes + bytes > CAPACITY_BYTES) {
      kernel.work(WORK.sleep);
      kernel.sleepOn(process, emptiedQueue(peer.id));
      return BLOCKED;
    }
    this.#moved(WORK.send, bytes);
    peer.queue.push({ bytes, message: copyOfValue(args.message ?? null) });
    peer.bytes += bytes;
    kernel.wakeQueue(filledQueue(peer.id));
    return bytes;
  }

  /** A buffer is made or let go: interrupts are masked meanwhile, locks taken. */
  #moved(cycles: number, bytes: number): void {
    const { kernel } = this;
    kernel.work(cycles);
    kernel.charge("calls", 14);
    kernel.charge("locked", 8);
    kernel.charge("maskings", 4);
    kernel.charge("userCopies");
    kernel.charge("copiedBytes", bytes);
  }

  #close(id: number): void {
    const end = this.#ends.get(id)!;
    this.kernel.work(WORK.close);
    end.isOpen = false;
    end.queue = [];
    end.bytes = 0;
    this.kernel.wakeQueue(filledQueue(end.peer));
    this.kernel.wakeQueue(emptiedQueue(id));
    if (this.#isOpen(end.peer)) return;
    this.#ends.delete(id);
    this.#ends.delete(end.peer);
  }

  #isOpen(id: number): boolean {
    return this.#ends.get(id)?.isOpen ?? false;
  }

  #poll(id: number): Readiness {
    const { bytes, peer } = this.#ends.get(id)!;
    const other = this.#ends.get(peer);
    return {
      readable: bytes > 0 || !other?.isOpen,
      writable: !other?.isOpen || other.bytes < CAPACITY_BYTES,
    };
  }
}

function connectQueue(listener: number): string {
  return `unix ${listener} connections`;
}

function filledQueue(end: number): string {
  return `unix ${end} filled`;
}

function emptiedQueue(end: number): string {
  return `unix ${end} emptied`;
}
