/** Costs of the processor and its memory. */

/** What has a price, and for what unit. */
export const CPU_COSTS = {
  systemCall: "into the kernel by a software interrupt, and back",
  exception: "into the kernel by an exception, and back",
  interrupt: "into the kernel by an interrupt, its acknowledgement, and back",
  lockedOperation: "an atomic read, change and write that other CPUs see",
  copiedKernelByte: "a byte copied between kernel and process, from cache to cache",
  clearedPage: "a page filled with zeroes",
  copiedPage: "a page copied",
  entryWrite: "a page-table entry written",
  pageFlush: "INVLPG",
  spaceFlush: "CR3 loaded: all translations but global ones dropped",
  translationRefill: "a page's translation fetched again, its entries in the second-level cache",
  lineRefill: "a line of the second-level cache fetched from memory",
  scatteredLine: "the same of a line that nothing foresaw: its neighbours are not read next",
  contendedLine: "how much longer that takes while another CPU works, too: memory has one bus",
  deviceRegister: "a register of a device read or written across PCI-X",
  interProcessorInterrupt: "sending one by the local APIC",
} as const;
