/**
 * What a back end's step did: the work that whoever runs it is billed for.
 *
 * A back end is a state machine. `step()` does a bounded amount of work and says what it was; the
 * executor of a driver domain, or of the hypervisor, prices it by the cost profile and calls again
 * while there is more.
 */

/** Kinds of work that have a price of their own. */
export type WorkKind =
  /** Requests taken from a ring. */
  | "requests"
  /** Bytes copied between domains. */
  | "copiedBytes"
  /** Grants mapped, unmapped or claimed for a copy. */
  | "grantOperations"
  /** Events sent. */
  | "events"
  /** Bytes read from or written to a disk. */
  | "diskBytes"
  /** Frames handed to or taken from the bridge. */
  | "frames"
  /** Operations of XenStore. */
  | "storeOperations";

/** Counts of what a step did, by kind; kinds that are left out are 0. */
export type WorkDone = { readonly [K in WorkKind]?: number };

/** The outcome of a step. */
export interface StepResult {
  readonly done: WorkDone;
  /** Another step would do something at once. */
  readonly more: boolean;
}

/** Nothing was to do. */
export const IDLE: StepResult = { done: {}, more: false };

/** Something that works in bounded steps. */
export interface Stepper {
  step(): StepResult;
}
