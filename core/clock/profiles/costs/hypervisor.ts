/** Costs of the hypervisor, and of its back ends. */

/** What has a price, and for what unit. */
export const HYPERVISOR_COSTS = {
  hypercall: "an entry into the hypervisor asked for by a guest, and the return",
  trapBounce:
    "an exception or interrupt of a guest that enters the hypervisor and is handed to the guest's kernel",
  pageTableUpdate: "a page-table entry validated and written on behalf of a guest",
  batchedUpdate: "a page-table entry validated and written, one of many in a hypercall",
  tableValidation: "a page of entries validated as a page table, or released from being one",
  dirtyFault:
    "a guest's first store to a page while its stores are logged: the page is noted, its entry made writable, and the store made again",
  addressSpaceSwitch: "what a guest's change of address space costs beyond a native one",
  domainSwitch: "a physical CPU goes from one virtual CPU to another: registers, address space",
  cacheRefill: "a virtual CPU finds nothing of its own in the caches any more",
  cacheDisplacement: "for how long others must run on a physical CPU to displace all of it",
  events: "an event sent",
  storeOperations: "an operation of XenStore",
  grantOperations: "a grant mapped, unmapped or claimed for a copy",
  copiedBytes: "a byte copied between domains",
} as const;
