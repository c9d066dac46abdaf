/**
 * The block layer of a modelled kernel: blocks wait in one sorted queue per disk, neighbours become one request, and
 * requests go to the driver when somebody waits for them.
 *
 * Order is that of Linux 2.4's elevator: one-way and sorted, except that a request lets only so many pass it.
 */

import { BLOCK_SECTORS, MAX_PASSES, MAX_REQUEST_BLOCKS } from "./limits.ts";
import type { FileMeter } from "./work.ts";

/** What the driver of a disk is given. */
export interface DriverRequest {
  readonly id: number;
  /** In sectors of 512 bytes. */
  readonly sector: number;
  /** In sectors. */
  readonly count: number;
  readonly write: boolean;
}

/** The driver below: the disk itself, or a front end. It calls {@link BlockLayer.complete} later, never at once. */
export interface BlockDriver {
  /** How many requests it would take now. */
  readonly room: number;
  start(request: DriverRequest): void;
}

/** Who is told that a block is through: the page of that key, or nobody for blocks of the journal. */
export type BlockListener = (page: number | null, write: boolean) => void;

/** Several blocks that somebody waits for together. */
export type Ticket = number;

interface Request {
  readonly id: number;
  block: number;
  readonly write: boolean;
  /** One for each block, in order. */
  pages: (number | null)[];
  tickets: (Ticket | null)[];
  /** How many requests may still overtake this one. */
  passes: number;
}

/** All that is on its way, as plain data. */
export interface BlockLayerState {
  readonly nextId: number;
  readonly nextTicket: number;
  readonly tickets: readonly (readonly [Ticket, number])[];
  readonly queue: readonly Readonly<Request>[];
  readonly started: readonly Readonly<Request>[];
}

/** See the module comment. */
export class BlockLayer {
  #nextId = 1;
  #nextTicket: Ticket = 1;
  /** How many blocks of each ticket are on their way. */
  #tickets = new Map<Ticket, number>();
  #queue: Request[] = [];
  #started = new Map<number, Request>();

  /** Blocks begin at `firstSector` of the disk. */
  constructor(
    private readonly driver: BlockDriver,
    private readonly done: BlockListener,
    private readonly firstSector = 0,
  ) {}

  /** Blocks that are queued or on their way. */
  get outstanding(): number {
    const blocks = (requests: Iterable<Request>) => {
      let sum = 0;
      for (const { pages } of requests) sum += pages.length;
      return sum;
    };
    return blocks(this.#queue) + blocks(this.#started.values());
  }

  /** A ticket for blocks that are to be waited for. */
  openTicket(): Ticket {
    const ticket = this.#nextTicket++;
    this.#tickets.set(ticket, 0);
    return ticket;
  }

  /** Whether all blocks of a ticket are through. */
  isDone(ticket: Ticket): boolean {
    return (this.#tickets.get(ticket) ?? 0) === 0;
  }

  /** Nobody waits for a ticket any more. */
  closeTicket(ticket: Ticket): void {
    this.#tickets.delete(ticket);
  }

  /** Puts a block into the queue; it stays there until {@link unplug}. */
  queue(
    block: number,
    write: boolean,
    page: number | null,
    ticket: Ticket | null,
    meter: FileMeter,
  ): void {
    meter.work("blockRequest");
    if (ticket !== null) this.#tickets.set(ticket, (this.#tickets.get(ticket) ?? 0) + 1);
    let place = this.#queue.length;
    for (let index = this.#queue.length - 1; index >= 0; index--) {
      const request = this.#queue[index];
      if (this.#merge(request, block, write, page, ticket)) return;
      if (request.passes <= 0) break;
      if (request.block > block) place = index;
      else if (place === index + 1) break;
    }
    for (let index = place; index < this.#queue.length; index++) this.#queue[index].passes--;
    const request = {
      id: this.#nextId++,
      block,
      write,
      pages: [page],
      tickets: [ticket],
      passes: MAX_PASSES,
    };
    this.#queue.splice(place, 0, request);
  }

  /** Hands requests to the driver while it takes them. */
  unplug(meter: FileMeter): void {
    while (this.#queue.length > 0 && this.driver.room > 0) {
      const request = this.#queue.shift()!;
      this.#started.set(request.id, request);
      meter.work("requestStart");
      this.driver.start({
        id: request.id,
        sector: this.firstSector + request.block * BLOCK_SECTORS,
        count: request.pages.length * BLOCK_SECTORS,
        write: request.write,
      });
    }
  }

  /** The driver is through with a request: tells the pages, starts what waits; answers the tickets that are done. */
  complete(id: number, meter: FileMeter): Ticket[] {
    const request = this.#started.get(id);
    if (!request) return [];
    this.#started.delete(id);
    meter.work("requestDone");
    const done: Ticket[] = [];
    for (const [index, ticket] of request.tickets.entries()) {
      this.done(request.pages[index], request.write);
      const left = ticket === null ? undefined : this.#tickets.get(ticket);
      if (ticket === null || left === undefined) continue;
      this.#tickets.set(ticket, left - 1);
      if (left === 1) done.push(ticket);
    }
    this.unplug(meter);
    return done;
  }

  save(): BlockLayerState {
    return {
      nextId: this.#nextId,
      nextTicket: this.#nextTicket,
      tickets: [...this.#tickets],
      queue: this.#queue.map(copyOf),
      started: [...this.#started.values()].map(copyOf),
    };
  }

  restore(state: BlockLayerState): void {
    this.#nextId = state.nextId;
    this.#nextTicket = state.nextTicket;
    this.#tickets = new Map(state.tickets);
    this.#queue = state.queue.map(copyOf);
    this.#started = new Map(state.started.map((each) => [each.id, copyOf(each)]));
  }

  /** Adds a block to a request that it touches. */
  #merge(
    request: Request,
    block: number,
    write: boolean,
    page: number | null,
    ticket: Ticket | null,
  ): boolean {
    const { length } = request.pages;
    if (request.write !== write || length >= MAX_REQUEST_BLOCKS) return false;
    if (block === request.block + length) {
      request.pages.push(page);
      request.tickets.push(ticket);
      return true;
    }
    if (block !== request.block - 1) return false;
    request.block = block;
    request.pages.unshift(page);
    request.tickets.unshift(ticket);
    return true;
  }
}

function copyOf(request: Readonly<Request>): Request {
  return { ...request, pages: [...request.pages], tickets: [...request.tickets] };
}
