/** The trace of a machine as scripts see it, read-only: the events that are hashed, and the counters that are not. */

import type { Cycle } from "../../core/clock/clock.ts";
import type { CounterReading, CounterStream, Counts } from "../../core/trace/counters.ts";
import {
  type Trace,
  TRACE_KINDS,
  type TraceEvent,
  type TraceKind,
} from "../../core/trace/trace.ts";
import type { TraceLine, TraceView } from "../machine_api.ts";

/** The view of one machine's trace. */
export class TraceWindow implements TraceView {
  readonly #trace: Trace;
  readonly #counters: CounterStream;

  constructor(trace: Trace, counters: CounterStream) {
    this.#trace = trace;
    this.#counters = counters;
  }

  get hash(): string {
    return this.#trace.hash;
  }

  get counters(): Counts {
    return this.#counters.read();
  }

  recent(count: number): readonly TraceLine[] {
    return this.#trace.recent(count).map(traceLine);
  }

  onEvent(listener: (event: TraceLine) => void, kinds?: readonly TraceKind[]): () => void {
    return this.#trace.listen((event) => {
      if (kinds === undefined || kinds.includes(event.kind)) listener(traceLine(event));
    });
  }

  onCounters(listener: (reading: CounterReading) => void): () => void {
    return this.#counters.listen(listener);
  }
}

function traceLine({ cycle, kind, a, b }: TraceEvent): TraceLine {
  const names = TRACE_KINDS[kind].split(", ");
  return {
    cycle: cycle as Cycle,
    kind,
    values: [a, b],
    text: `${names[0]} 0x${(a >>> 0).toString(16)}, ${names[1]} 0x${(b >>> 0).toString(16)}`,
  };
}
