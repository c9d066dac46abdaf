/**
 * The journal of ext3 in its ordered mode (`jbd`): blocks of metadata that change join the running transaction; a commit
 * writes the files' new data first, then copies of the blocks into the journal, then a record that makes them count.
 *
 * A commit is a machine of three waits, driven by {@link Journal.advance} whenever one of its blocks is through; so it
 * needs neither a thread of its own nor the caller's.
 */

import type { BlockLayer, Ticket } from "./block_layer.ts";
import { DESCRIPTOR_BLOCKS, JOURNAL_BLOCKS, MAX_TRANSACTION_BLOCKS } from "./limits.ts";
import type { FileMeter } from "./work.ts";

/** What a commit waits for. */
type Phase = "data" | "blocks" | "record";

interface Commit {
  readonly transaction: number;
  readonly blocks: number[];
  phase: Phase;
  ticket: Ticket;
}

/** A journal as plain data. */
export interface JournalState {
  readonly running: number;
  readonly blocks: readonly number[];
  readonly ordered: readonly number[];
  readonly commit: Readonly<Commit> | null;
  readonly wanted: number;
  readonly head: number;
  readonly used: number;
  readonly unwritten: readonly number[];
}

/** What a journal asks of its file system. */
export interface JournalHost {
  /** Queues the dirty pages of a file under a ticket. */
  flushInode(inode: number, ticket: Ticket, meter: FileMeter): void;
}

/** See the module comment. */
export class Journal {
  /** The number of the running transaction; those below it are committed, or being so. */
  #running = 1;
  #blocks = new Set<number>();
  /** Files whose data must be on the disk before the running transaction commits. */
  #ordered = new Set<number>();
  #commit: Commit | null = null;
  /** Transactions up to this one shall be committed. */
  #wanted = 0;
  /** The next block of the journal, and how many hold what is not yet in its place. */
  #head = 0;
  #used = 0;
  /** Committed blocks that are still to be written to their places. */
  #unwritten = new Set<number>();

  /** Its blocks begin at `start` of the file system. */
  constructor(
    private readonly layer: BlockLayer,
    private readonly host: JournalHost,
    private readonly start: number,
  ) {}

  get running(): number {
    return this.#running;
  }

  /** The last transaction that is safe on the disk. */
  get committed(): number {
    return (this.#commit?.transaction ?? this.#running) - 1;
  }

  /** Blocks of the running transaction. */
  get runningBlocks(): number {
    return this.#blocks.size;
  }

  /** A block of metadata changes; answers the transaction that it belongs to. */
  join(block: number, meter: FileMeter): number {
    const known = this.#blocks.has(block);
    meter.work(known ? "journalTouch" : "journalJoin");
    if (!known) this.#blocks.add(block);
    return this.#running;
  }

  /** New data of a file go to the disk before the running transaction counts. */
  order(inode: number): void {
    this.#ordered.add(inode);
  }

  /** The file is gone: nothing is to be written for it. */
  forget(inode: number): void {
    this.#ordered.delete(inode);
  }

  /** Transactions up to `transaction` shall be committed as soon as possible. */
  request(transaction: number, meter: FileMeter): void {
    this.#wanted = Math.max(this.#wanted, Math.min(transaction, this.#running));
    this.advance(meter);
  }

  /** The regular commit: whatever is running, if it has anything. */
  tick(meter: FileMeter): void {
    if (this.#blocks.size > 0) this.request(this.#running, meter);
  }

  /** What has changed so far is on the disk already: for what was there before the system came up. */
  settle(): void {
    this.#blocks.clear();
    this.#ordered.clear();
    this.#running++;
  }

  /** Does whatever can be done now: call it after blocks are through. */
  advance(meter: FileMeter): void {
    while (this.#commit && this.layer.isDone(this.#commit.ticket)) this.#next(this.#commit, meter);
    const isFull = this.#blocks.size >= MAX_TRANSACTION_BLOCKS;
    if (this.#commit || (this.#wanted < this.#running && !isFull)) return;
    if (this.#blocks.size > 0) this.#begin(meter);
  }

  /** Up to `count` committed blocks go to their places; answers how many. */
  writeBack(count: number, meter: FileMeter): number {
    let done = 0;
    for (const block of this.#unwritten) {
      if (done >= count) break;
      this.#unwritten.delete(block);
      this.layer.queue(block, true, null, null, meter);
      done++;
    }
    if (this.#unwritten.size === 0) this.#used = 0;
    return done;
  }

  save(): JournalState {
    return {
      running: this.#running,
      blocks: [...this.#blocks],
      ordered: [...this.#ordered],
      commit: this.#commit && { ...this.#commit, blocks: [...this.#commit.blocks] },
      wanted: this.#wanted,
      head: this.#head,
      used: this.#used,
      unwritten: [...this.#unwritten],
    };
  }

  restore(state: JournalState): void {
    this.#running = state.running;
    this.#blocks = new Set(state.blocks);
    this.#ordered = new Set(state.ordered);
    this.#commit = state.commit && { ...state.commit, blocks: [...state.commit.blocks] };
    this.#wanted = state.wanted;
    this.#head = state.head;
    this.#used = state.used;
    this.#unwritten = new Set(state.unwritten);
  }

  /** Closes the running transaction and writes its files' data. */
  #begin(meter: FileMeter): void {
    const ticket = this.layer.openTicket();
    this.#commit = {
      transaction: this.#running++,
      blocks: [...this.#blocks],
      phase: "data",
      ticket,
    };
    for (const inode of this.#ordered) this.host.flushInode(inode, ticket, meter);
    this.#blocks = new Set();
    this.#ordered = new Set();
    this.layer.unplug(meter);
    while (this.#commit && this.layer.isDone(this.#commit.ticket)) this.#next(this.#commit, meter);
  }

  #next(commit: Commit, meter: FileMeter): void {
    this.layer.closeTicket(commit.ticket);
    switch (commit.phase) {
      case "data": {
        const descriptors = Math.ceil(commit.blocks.length / DESCRIPTOR_BLOCKS);
        const ticket = this.#write(commit.blocks.length + descriptors, meter);
        this.#commit = { ...commit, phase: "blocks", ticket };
        return;
      }
      case "blocks":
        this.#commit = { ...commit, phase: "record", ticket: this.#write(1, meter) };
        return;
      case "record":
        for (const block of commit.blocks) this.#unwritten.add(block);
        this.#commit = null;
        return;
    }
  }

  /** Writes the next blocks of the journal; if there is no room, what fills it goes to its places first. */
  #write(count: number, meter: FileMeter): Ticket {
    if (this.#used + count > JOURNAL_BLOCKS) this.writeBack(Infinity, meter);
    const ticket = this.layer.openTicket();
    for (let done = 0; done < count; done++) {
      this.layer.queue(this.start + this.#head, true, null, ticket, meter);
      this.#head = (this.#head + 1) % JOURNAL_BLOCKS;
      this.#used++;
    }
    this.layer.unplug(meter);
    return ticket;
  }
}
