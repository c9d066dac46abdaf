/** The states in which the two halves of a split driver are. Source: Xen 4.17's `io/xenbus.h`. */

/** What the node `state` of a front end or a back end says, as a decimal number. */
export const XENBUS_STATE = {
  Unknown: 0,
  Initialising: 1,
  InitWait: 2,
  Initialised: 3,
  Connected: 4,
  Closing: 5,
  Closed: 6,
  Reconfiguring: 7,
  Reconfigured: 8,
} as const;

/** One of {@link XENBUS_STATE}. */
export type XenbusState = typeof XENBUS_STATE[keyof typeof XENBUS_STATE];
