/** Costs of network cards and of the network's back ends. */

/** What has a price, and for what unit. */
export const NETWORK_COSTS = {
  requests: "a request taken from a ring, checked and answered",
  frames: "a network frame through the hypervisor's bridge",
  nicSent: "a driver in the hypervisor: a descriptor whose frame has left",
  nicReceived: "a driver in the hypervisor: a descriptor with a frame, a new buffer in its place",
  portAccess:
    "hosted systems: a port of a virtual card, its access caught by the monitor and emulated",
  hostFrameSent: "hosted systems: a frame through the host's bridge and its card's driver",
  tapFrame: "hosted systems: a frame written to the host's tap device, beyond the call itself",
  hostFrameReceived:
    "hosted systems: a frame from the host's card, through its bridge, to the monitor's socket",
} as const;
