/** Costs of a kernel's own mechanisms, on bare hardware. */

/** What has a price, and for what unit. */
export const KERNEL_COSTS = {
  processSwitch: "registers, segment registers and kernel stack of another process",
  runQueueEntry: "a process looked at by the scheduler",
  timerTick: "the tick: time and accounting",
  timerProgram: "the timer set to another instant",
  userCopy: "a copy between kernel and process begun: limits checked, exception table",
  signalFrame: "a signal's frame on the stack, and the handler entered",
  signalReturn: "registers taken back from a signal's frame",
  tableMade: "a page allocated as a page table",
  tableFreed: "a page table's page freed",
  spaceMade: "a page directory allocated, the kernel's part copied",
  spaceFreed: "a page directory freed",
} as const;
