/** One quantity of every domain over simulated time, drawn by uPlot. */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { drawInTurn, leaveTurns } from "./frame_turns.ts";
import { COLOURS, dashOf, type Palette } from "./palette.ts";
import { linesOver, type Quantity, type RateRow } from "./rates.ts";
import { useWidth } from "./use_width.ts";

/** One domain's line. */
export interface ChartLine {
  readonly name: string;
  /** The domain's id. */
  readonly domain: number;
  /** Its place among all domains, which decides its colour and dashes. */
  readonly index: number;
  readonly shown: boolean;
}

/** What a chart shows. */
export interface ChartProps {
  readonly title: string;
  /** Short, of the values on the axis. */
  readonly unit: string;
  readonly format: (value: number) => string;
  /** Distances of the axis' ticks, smallest first; default: round decimal numbers. */
  readonly steps?: readonly number[];
  readonly lines: readonly ChartLine[];
  readonly quantity: Quantity;
  /** Where the lines go through, oldest first. */
  readonly rows: readonly RateRow[];
  readonly palette: Palette | null;
}

const HEIGHT = 200;
const FONT = "12px system-ui, sans-serif";

/** See the module comment. */
export function LiveChart(props: ChartProps) {
  const [element, width] = useWidth<HTMLDivElement>();
  const plot = useRef<uPlot | null>(null);
  const { title, unit, lines, palette, rows } = props;
  const shape = JSON.stringify(lines);
  useEffect(() => {
    if (!element.current || !palette || width === 0) return;
    const made = new uPlot(optionsOf(props, palette, width), dataOf(props), element.current);
    plot.current = made;
    return () => {
      leaveTurns(made);
      made.destroy();
      plot.current = null;
    };
  }, [shape, palette, width]);
  useEffect(() => {
    const { current } = plot;
    if (current) drawInTurn(current, () => current.setData(dataOf(props)));
  }, [rows]);
  return (
    <section class="chart" aria-label={`${title}, ${unit}`}>
      <h3>
        {title} <span class="unit">{unit}</span>
      </h3>
      <div class="canvas" ref={element} />
    </section>
  );
}

function optionsOf(
  { lines, format, steps }: ChartProps,
  palette: Palette,
  width: number,
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: palette.ink,
    font: FONT,
    grid: { stroke: palette.line, width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: (_, __, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [
      { ...axis, size: 34, values: (_, ticks) => ticks.map((tick) => `${tick} s`) },
      {
        ...axis,
        size: 76,
        incrs: steps && [...steps],
        values: (_, ticks) => ticks.map(format),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, index, shown }): uPlot.Series => ({
        label: name,
        show: shown,
        stroke: palette.series[index % COLOURS],
        dash: dashOf(index),
        width: 1.75,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}

function dataOf({ rows, lines, quantity }: ChartProps): uPlot.AlignedData {
  const { seconds, values } = linesOver(rows, lines.map(({ domain }) => domain), quantity);
  return [seconds, ...values] as uPlot.AlignedData;
}
