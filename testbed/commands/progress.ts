/** A bar for long work on a terminal; lines of text elsewhere. */

import { Presets, SingleBar } from "cli-progress";
import type { OnProgress } from "../images/image_catalogue.ts";
import type { Terminal } from "./services.ts";

/** Shows the progress of `work`; the bar goes to standard error and is gone afterwards. */
export async function withProgress<T>(
  terminal: Terminal,
  title: string,
  work: (onProgress: OnProgress) => Promise<T>,
): Promise<T> {
  if (!terminal.interactive) return await work(plainProgress(terminal, title));
  const bar = new SingleBar(
    { format: `${title} {bar} {percentage}% {step}`, clearOnComplete: true, hideCursor: true },
    Presets.shades_classic,
  );
  bar.start(1, 0, { step: "" });
  try {
    return await work((step, done, total) => {
      bar.setTotal(Math.max(1, total));
      bar.update(done, { step });
    });
  } finally {
    bar.stop();
  }
}

/** One line at the beginning of each step. */
function plainProgress(terminal: Terminal, title: string): OnProgress {
  let last = "";
  return (step) => {
    if (step !== last) terminal.writeError(`${title}: ${step}\n`);
    last = step;
  };
}
