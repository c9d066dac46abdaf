/** A run on the terminal while it goes on: what it prints, and a bar with an estimate once it tells its progress. */

import { Presets, SingleBar } from "cli-progress";
import type { RunEvent } from "../runs/run_events.ts";
import type { Terminal } from "./services.ts";

/** The bar counts in thousandths. */
const TOTAL = 1000;
/** Carriage return, erase in line: the bar makes room for a line of text. */
const ERASE = "\r\x1b[K";

/** See the module comment. */
export class RunDisplay {
  #bar: SingleBar | null = null;
  #step = "";

  /** `lines`: whether to show what the scenario prints. */
  constructor(
    private readonly terminal: Terminal,
    private readonly title: string,
    private readonly lines: boolean,
  ) {}

  /** Shows what there is to see of an event. */
  show(event: RunEvent): void {
    if (event.kind === "line" && this.lines) {
      if (this.#bar) this.terminal.writeError(ERASE);
      this.terminal.write(`${event.text}\n`);
    }
    if (event.kind === "progress") this.#progress(event.progress.fraction, event.progress.step);
  }

  /** Takes the bar away. */
  close(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  #progress(fraction: number, step: string): void {
    if (!this.terminal.interactive) {
      if (step !== this.#step) this.terminal.writeError(`${this.title}: ${step}\n`);
    } else {
      this.#bar ??= this.#newBar();
      this.#bar.update(Math.round(fraction * TOTAL), { step });
      this.#bar.updateETA();
    }
    this.#step = step;
  }

  #newBar(): SingleBar {
    const format = `${this.title} {bar} {percentage}% about {eta_formatted} left, {step}`;
    const bar = new SingleBar(
      { format, clearOnComplete: true, hideCursor: true },
      Presets.shades_classic,
    );
    bar.start(TOTAL, 0, { step: "" });
    return bar;
  }
}
