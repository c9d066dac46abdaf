/** A driver for tests: it keeps what it is given until told to finish, and notes it. */

import type { BlockDriver, DriverRequest } from "../block_layer.ts";
import { FILE_WORK, type FileMeter, type FileWork } from "../work.ts";

/** See the module comment. */
export class SlowDriver implements BlockDriver {
  /** What it was given, oldest first: `r` or `w`, sector and count. */
  readonly log: string[] = [];
  readonly pending: DriverRequest[] = [];

  constructor(private readonly depth = Infinity) {}

  get room(): number {
    return this.depth - this.pending.length;
  }

  start(request: DriverRequest): void {
    this.pending.push(request);
    this.log.push(`${request.write ? "w" : "r"} ${request.sector}+${request.count}`);
  }
}

/** A meter that adds up. */
export class Tally implements FileMeter {
  readonly counts = Object.fromEntries(Object.keys(FILE_WORK).map((kind) => [kind, 0])) as Record<
    FileWork,
    number
  >;

  work(kind: FileWork, count = 1): void {
    this.counts[kind] += count;
  }
}
