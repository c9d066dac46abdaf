/** What a debugger tells of CPUs while they run. */

/** What a CPU does, besides what the trace tells. */
export interface CpuNews {
  readonly cpu: number;
  readonly cycle: number;
  /** The privilege level is another one now. */
  readonly ring?: number;
  /** A handler or the kernel was entered or left by this system function. */
  readonly call?: string;
}
