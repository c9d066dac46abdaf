/** Costs of network cards and of the network's back ends. */

/** What has a price, and for what unit. */
export const NETWORK_COSTS = {
  requests: "a request taken from a ring, checked and answered",
  frames: "a network frame through the hypervisor's bridge",
} as const;
