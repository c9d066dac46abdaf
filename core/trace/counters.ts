/**
 * The second stream of a machine's trace: counters of what the host did for it, such as the translator's.
 *
 * It is never hashed and belongs to no snapshot: tiers and caches may differ where the guest does not.
 */

/** Counts by name; none ever falls. */
export type Counts = Readonly<Record<string, number>>;

/** All counters at a cycle, by `source.name`. */
export interface CounterReading {
  readonly cycle: number;
  readonly counts: Counts;
}

/** The counters of one machine. */
export class CounterStream {
  /** Whether nobody is told: what happens has happened before. */
  muted = false;
  readonly #sources = new Map<string, () => Counts>();
  readonly #listeners = new Set<(reading: CounterReading) => void>();

  /** Adds the counters that `read` gives, under the name of what counts. */
  add(source: string, read: () => Counts): void {
    this.#sources.set(source, read);
  }

  /** How the counters stand. */
  read(): Counts {
    const counts: Record<string, number> = {};
    for (const [source, read] of this.#sources) {
      for (const [name, count] of Object.entries(read())) counts[`${source}.${name}`] = count;
    }
    return counts;
  }

  /** Tells those who listen how the counters stand at `cycle`. */
  tell(cycle: number): void {
    if (this.muted || this.#listeners.size === 0) return;
    const reading = { cycle, counts: this.read() };
    for (const listener of this.#listeners) listener(reading);
  }

  /** Calls `listener` with each reading; returns how to stop that. */
  listen(listener: (reading: CounterReading) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
