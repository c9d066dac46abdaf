/**
 * Lines over an axis, drawn by the server. The curves stretch with the page and the labels do not; each line has its
 * colour, its dashes and its marks, so that it is told apart without colour too.
 */

// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
// @ts-types="npm:@types/d3-shape@3.2.0"
import { curveLinear, curveStepAfter, line } from "d3-shape";
import { formatNumber } from "../format.ts";

/** One line. */
export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What is drawn, with the names and units of its axes. */
export interface LinesProps {
  readonly lines: readonly Line[];
  readonly x: { readonly name: string; readonly unit: string };
  readonly y: { readonly name: string; readonly unit: string };
  readonly step?: boolean;
  /** What the figure says, for those who do not see it. */
  readonly label: string;
}

const HEIGHT = 260;
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "14 4", "4 2", "1 4"];
/** Points beyond this are drawn without marks. */
const MAX_MARKS = 40;
/** Points of a line beyond this are thinned: a page has no more pixels. */
const MAX_POINTS = 1500;

/** See the module comment. */
export function Lines({ lines, x, y, step = false, label }: LinesProps) {
  const points = lines.flatMap((each) => each.points);
  if (points.length === 0) return <p class="soft">Nothing to draw yet.</p>;
  const xs = extent(points.map(([at]) => at));
  const ys = extent([0, ...points.map(([, value]) => value)]);
  const across = scaleLinear(xs, [0, 100]);
  const up = scaleLinear(ys, [HEIGHT, 0]).nice(5);
  const path = line<readonly [number, number]>()
    .x(([at]) => across(at))
    .y(([, value]) => up(value))
    .curve(step ? curveStepAfter : curveLinear);
  return (
    <figure class="lines">
      <ul class="legend">
        {lines.map(({ name }, i) => (
          <li key={i}>
            <svg aria-hidden="true">
              <line
                class={`stroke s${i % 7}`}
                x1="0"
                x2="100%"
                y1="50%"
                y2="50%"
                stroke-width="2.5"
                stroke-dasharray={DASHES[i % DASHES.length]}
              />
            </svg>
            {name}
          </li>
        ))}
      </ul>
      <div class="plane" role="img" aria-label={label}>
        <svg class="ups" width="56" height={HEIGHT + 8}>
          {up.ticks(5).map((tick) => (
            <text key={tick} x="50" y={up(tick) + 8} text-anchor="end">{formatNumber(tick)}</text>
          ))}
        </svg>
        <svg
          class="area"
          width="100%"
          height={HEIGHT}
          viewBox={`0 0 100 ${HEIGHT}`}
          preserveAspectRatio="none"
        >
          {up.ticks(5).map((tick) => (
            <line
              key={tick}
              class="grid"
              x1="0"
              x2="100"
              y1={up(tick)}
              y2={up(tick)}
            />
          ))}
          {lines.map((each, i) => (
            <Curve
              key={i}
              path={path(thinned(each.points)) ?? ""}
              marks={each.points.length <= MAX_MARKS
                ? each.points.map(([at, value]) => `M${across(at)} ${up(value)}h0`).join("")
                : ""}
              index={i}
            />
          ))}
        </svg>
        <svg class="across" width="100%" height="20">
          {across.ticks(6).map((tick) => (
            <text
              key={tick}
              x={`${across(tick)}%`}
              y="15"
              text-anchor={across(tick) < 4 ? "start" : across(tick) > 96 ? "end" : "middle"}
            >
              {formatNumber(tick)}
            </text>
          ))}
        </svg>
      </div>
      <figcaption>
        Up: {withUnit(y)}. Across: {withUnit(x)}.
      </figcaption>
    </figure>
  );
}

function Curve({ path, marks, index }: {
  readonly path: string;
  readonly marks: string;
  readonly index: number;
}) {
  const series = `stroke s${index % 7}`;
  return (
    <>
      <path
        class={`line ${series}`}
        d={path}
        vector-effect="non-scaling-stroke"
        stroke-dasharray={DASHES[index % DASHES.length]}
      />
      {marks && (
        <path
          class={series}
          d={marks}
          vector-effect="non-scaling-stroke"
          stroke-width="7"
          stroke-linecap="round"
        />
      )}
    </>
  );
}

function withUnit({ name, unit }: { readonly name: string; readonly unit: string }): string {
  return unit === "" ? name : `${name} (${unit})`;
}

function extent(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low === high ? [low, low + 1] : [low, high];
}

/** Of every stretch of points the lowest and the highest, in their order: no peak is lost. */
function thinned(
  points: readonly (readonly [number, number])[],
): readonly (readonly [number, number])[] {
  if (points.length <= MAX_POINTS) return points;
  const stretch = Math.ceil(points.length / (MAX_POINTS / 2));
  const kept: (readonly [number, number])[] = [];
  for (let from = 0; from < points.length; from += stretch) {
    const part = points.slice(from, from + stretch);
    const lowest = part.reduce((least, each) => each[1] < least[1] ? each : least);
    const highest = part.reduce((most, each) => each[1] > most[1] ? each : most);
    kept.push(...(lowest[0] <= highest[0] ? [lowest, highest] : [highest, lowest]));
  }
  return kept;
}
