/** A kernel on bare hardware. */

import type { CostTable } from "../../../core/clock/profiles/cost_profile.ts";
import { FILE_COSTS } from "../../../core/clock/profiles/costs/files.ts";
import { type Platform, pricedPlatform, type Primitive } from "../kernel/primitives.ts";

/** What each use of a primitive costs on bare hardware. */
export function nativePrices(costs: CostTable, isSmp: boolean): Record<Primitive, number> {
  return {
    work: costs.scale,
    calls: 0,
    // Two instructions, counted with the work around them.
    maskings: 0,
    locked: isSmp ? costs.each("lockedOperation") : 0,
    systemCall: costs.each("systemCall"),
    fault: costs.each("exception"),
    interrupt: costs.each("interrupt"),
    timerTick: costs.each("timerTick"),
    timerProgram: costs.each("timerProgram"),
    interProcessor: costs.each("interProcessorInterrupt"),
    userCopies: costs.each("userCopy"),
    copiedBytes: costs.each("copiedKernelByte"),
    processSwitch: costs.each("processSwitch"),
    addressSpaceSwitch: costs.each("spaceFlush"),
    coldSpaces: 0,
    runQueueEntries: costs.each("runQueueEntry"),
    signalFrames: costs.each("signalFrame"),
    signalReturns: costs.each("signalReturn"),
    entryWrites: costs.each("entryWrite"),
    entryBatch: costs.each("entryWrite"),
    newEntries: costs.each("entryWrite"),
    droppedEntries: costs.each("entryWrite"),
    tablesMade: costs.each("tableMade"),
    tablesFreed: costs.each("tableFreed"),
    spacesMade: costs.each("spaceMade"),
    spacesFreed: costs.each("spaceFreed"),
    pageFlushes: costs.each("pageFlush"),
    spaceFlushes: costs.each("spaceFlush"),
    clearedPages: costs.each("clearedPage"),
    copiedPages: costs.each("copiedPage"),
    lineRefills: costs.each("lineRefill"),
    scatteredRefills: costs.each("scatteredLine"),
    contendedRefills: costs.each("contendedLine"),
    translationRefills: costs.each("translationRefill"),
    ...filePrices(costs),
    deviceAccess: costs.each("deviceRegister"),
    plainAccess: costs.each("deviceRegister"),
    doorbells: costs.each("deviceRegister"),
    // CLI and POPF are among the instructions that are counted.
    masked: 0,
    framesSent: 0,
    framesReceived: 0,
    frameBytes: 0,
    eventSend: 0,
    grantOps: 0,
  };
}

type FileCost = keyof typeof FILE_COSTS;

function filePrices(costs: CostTable): Record<FileCost, number> {
  const kinds = Object.keys(FILE_COSTS) as FileCost[];
  return Object.fromEntries(kinds.map((kind) => [kind, costs.each(kind)])) as Record<
    FileCost,
    number
  >;
}

/** See the module comment. `cpus`: how many the kernel is built for. */
export function native(costs: CostTable, cpus: number): Platform {
  const about = { name: "native", isSmp: cpus > 1, systemsBelow: 0 };
  return pricedPlatform(about, nativePrices(costs, cpus > 1));
}
