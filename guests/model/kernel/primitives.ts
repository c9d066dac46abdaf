/**
 * What a kernel does, in units that a platform can price: the alphabet in which every part of a modelled kernel says what
 * its work consists of.
 *
 * The kernel counts; the platform knows what each costs where it runs. A benchmark's time is the sum of what it did.
 */

import { FILE_COSTS } from "../../../core/clock/profiles/costs/files.ts";

/** The primitives, and their unit. */
export const PRIMITIVES = {
  // CPU
  work: "a cycle of plain instructions in the kernel, native",
  calls: "a call and return inside the kernel, made through a pointer or not",
  locked: "an atomic operation that other CPUs must see; a kernel for one CPU has none",
  maskings: "interrupts masked for a stretch of work, and let through again",
  systemCall: "the way into the kernel by a system call, and back",
  fault: "the way into the kernel by an exception, and back",
  interrupt: "the way into the kernel by an interrupt, its acknowledgement, and back",
  timerTick: "the tick's own work: time, accounting",
  timerProgram: "the timer hardware set to another instant",
  interProcessor: "an interrupt sent to another CPU",
  userCopies: "a copy between kernel and process begun",
  copiedBytes: "a byte copied between kernel and process",
  // Processes
  processSwitch: "registers and kernel stack of another process",
  addressSpaceSwitch: "the address space of another process",
  coldSpaces: "such a switch to one that was not among the last eight",
  runQueueEntries: "a process looked at by the scheduler",
  signalFrames: "a signal's frame put on the stack, and the handler entered",
  signalReturns: "the way back from a signal's handler",
  // Memory
  entryWrites: "a page-table entry written singly",
  entryBatch: "a page-table entry written among many, in tables that are in use",
  newEntries: "a page-table entry written into a table that no CPU uses yet",
  droppedEntries: "a page-table entry cleared in a table that no CPU uses any more",
  tablesMade: "a page becomes a page table",
  tablesFreed: "a page table becomes a page",
  spacesMade: "a top-level table comes into use",
  spacesFreed: "a top-level table goes out of use",
  pageFlushes: "the translation of one page dropped",
  spaceFlushes: "all translations of an address space dropped",
  clearedPages: "a page filled with zeroes",
  copiedPages: "a page copied",
  lineRefills: "a cache line fetched from memory",
  scatteredRefills: "the same of a line whose neighbours are not read next",
  contendedRefills: "a line of either kind that is fetched while another CPU works",
  translationRefills: "a page's translation found again after it was dropped",
  // Files: plain instructions of each kind of work
  ...FILE_COSTS,
  // Devices
  deviceAccess: "a register of a device read or written, by which something happens",
  plainAccess: "a register of a device read or written that only keeps, or tells, a value",
  doorbells: "a device told that there is work for it",
  masked: "interrupts masked on one CPU, and unmasked again",
  framesSent: "a frame handed to a network device, for what lies between the driver and the cable",
  framesReceived: "a frame taken from a network device, likewise",
  frameBytes: "a byte of such a frame",
  eventSend: "another domain told of an event",
  grantOps: "a page granted to another domain, or taken back",
} as const;

export type Primitive = keyof typeof PRIMITIVES;

/** Their names; a primitive's place in it is its number in arrays. */
export const PRIMITIVE_NAMES = Object.keys(PRIMITIVES) as readonly Primitive[];

const NUMBERS = new Map(PRIMITIVE_NAMES.map((name, number) => [name, number]));

/** A primitive's number. */
export function primitiveNumber(primitive: Primitive): number {
  return NUMBERS.get(primitive)!;
}

/** How a kernel carries out what it does: what one use of each primitive costs here. */
export interface Platform {
  readonly name: string;
  /** CPUs' worth of locking: whether the kernel is built for several CPUs. */
  readonly isSmp: boolean;
  /** Systems below the kernel that take part in each of its switches, and use the caches as it does. */
  readonly systemsBelow: number;
  /** Cycles for `count` uses of `primitive` at once; may be fractional. */
  price(primitive: Primitive, count: number): number;
}

/** What uses in great numbers cost besides: `cycles` for each `units` of them, or part of it. */
export interface BatchPrice {
  readonly units: number;
  readonly cycles: number;
}

/** A platform of one price for each primitive, and of batches. */
export function pricedPlatform(
  { name, isSmp, systemsBelow }: Omit<Platform, "price">,
  prices: Readonly<Record<Primitive, number>>,
  batches: Readonly<Partial<Record<Primitive, BatchPrice>>> = {},
): Platform {
  return {
    name,
    isSmp,
    systemsBelow,
    price: (primitive, count) => {
      const batch = count > 0 ? batches[primitive] : undefined;
      const extra = batch ? Math.ceil(count / batch.units) * batch.cycles : 0;
      return prices[primitive] * count + extra;
    },
  };
}

/** A platform for tests and trials: prices by primitive, those left out are 0. */
export function flatPlatform(
  name: string,
  isSmp: boolean,
  prices: Readonly<Partial<Record<Primitive, number>>>,
): Platform {
  const price = (primitive: Primitive, count: number) => (prices[primitive] ?? 0) * count;
  return { name, isSmp, systemsBelow: 0, price };
}
