/** Colours for what is drawn on canvas: those of the style sheet, in the theme that is on. */

import { useEffect, useState } from "preact/hooks";

/** Colours and dashes after which lines are told apart by dashes. */
export const COLOURS = 7;
const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3], [16, 5]];

/** The colours of a theme, resolved. */
export interface Palette {
  readonly series: readonly string[];
  readonly ink: string;
  readonly line: string;
  /** Of words on a series' colour. */
  readonly onSeries: string;
}

/** The dashes of the line at `index`. */
export function dashOf(index: number): number[] {
  return [...DASHES[Math.floor(index / COLOURS) % DASHES.length]];
}

/** The palette of the theme that is on; `null` until the page stands. */
export function usePalette(): Palette | null {
  const [palette, setPalette] = useState<Palette | null>(null);
  useEffect(() => {
    const read = () => setPalette(readPalette());
    const preference = matchMedia("(prefers-color-scheme: dark)");
    read();
    preference.addEventListener("change", read);
    document.addEventListener("themechange", read);
    return () => {
      preference.removeEventListener("change", read);
      document.removeEventListener("themechange", read);
    };
  }, []);
  return palette;
}

/** A custom property's colour, as the browser computes it for the present theme. */
function readPalette(): Palette {
  const probe = document.body.appendChild(document.createElement("span"));
  const colour = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const palette = {
    series: Array.from({ length: COLOURS }, (_, i) => colour(`series-${i}`)),
    ink: colour("ink-soft"),
    line: colour("line"),
    onSeries: colour("raised"),
  };
  probe.remove();
  return palette;
}
