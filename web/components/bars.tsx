/**
 * Bars, drawn by the server: measured ones filled, published ones hatched beside them, intervals as whiskers.
 *
 * Labels are text of the page and every bar is as wide as there is room, so that a phone shows the same figure.
 */

// @ts-types="npm:@types/d3-scale@4.0.9"
import { scaleLinear } from "d3-scale";
import { formatNumber } from "../format.ts";

/** One bar. */
export interface Bar {
  readonly name: string;
  /** Which colour; bars of one series have one. */
  readonly series: number;
  readonly value: number;
  readonly published: boolean;
  readonly low?: number;
  readonly high?: number;
  /** Shown behind the value. */
  readonly note?: string;
}

/** Bars that belong together. */
export interface BarGroup {
  readonly label: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

/** Groups whose largest bars differ by more than this are not drawn to one scale. */
const MAX_SHARED_RANGE = 40;
const BAR_HEIGHT = 16;
const TICKS = 5;

/** See the module comment. */
export function Bars({ groups, caption }: {
  readonly groups: readonly BarGroup[];
  readonly caption?: string;
}) {
  const drawn = groups.filter(({ bars }) => bars.length > 0);
  if (drawn.length === 0) return <p class="soft">Nothing to draw yet.</p>;
  const shared = haveOneScale(drawn);
  const end = shared ? Math.max(...drawn.map(reach)) : 0;
  return (
    <figure class="bars">
      {drawn.map((group, i) => (
        <Group
          key={i}
          group={group}
          end={shared ? end : reach(group)}
          hasAxis={!shared}
        />
      ))}
      {shared && <Axis end={end} unit={drawn[0].unit} />}
      {caption && <figcaption>{caption}</figcaption>}
    </figure>
  );
}

function Group({ group, end, hasAxis }: {
  readonly group: BarGroup;
  readonly end: number;
  readonly hasAxis: boolean;
}) {
  const scale = scaleLinear([0, end], [0, 100]).nice(TICKS);
  return (
    <div class="group" role="group" aria-label={group.label}>
      <div class="label">{group.label}</div>
      {group.bars.map((bar, i) => (
        <div class="bar" key={i}>
          <span class="name">{bar.name}</span>
          <svg width="100%" height={BAR_HEIGHT} aria-hidden="true">
            {scale.ticks(TICKS).map((tick) => (
              <line
                key={tick}
                class="grid"
                x1={percent(scale(tick))}
                x2={percent(scale(tick))}
                y1="0"
                y2={BAR_HEIGHT}
              />
            ))}
            <rect
              class={bar.published ? "published" : `fill s${bar.series % 7}`}
              x="0"
              y="2"
              height={BAR_HEIGHT - 4}
              width={percent(scale(Math.max(0, bar.value)))}
            />
            {bar.low !== undefined && bar.high !== undefined && (
              <line
                class="whisker"
                x1={percent(scale(bar.low))}
                x2={percent(scale(bar.high))}
                y1={BAR_HEIGHT / 2}
                y2={BAR_HEIGHT / 2}
              />
            )}
          </svg>
          <span class="value">
            {formatNumber(bar.value)} <span class="unit">{group.unit}</span>{" "}
            {bar.note && <span class="note">{bar.note}</span>}
          </span>
        </div>
      ))}
      {hasAxis && <Axis end={end} unit={group.unit} />}
    </div>
  );
}

function Axis({ end, unit }: { readonly end: number; readonly unit: string }) {
  const scale = scaleLinear([0, end], [0, 100]).nice(TICKS);
  const ticks = scale.ticks(TICKS);
  return (
    <div class="bar axis-row" aria-hidden="true">
      <span class="name" />
      <svg width="100%" height="18">
        <line class="axis" x1="0" x2="100%" y1="0.5" y2="0.5" />
        {ticks.map((tick, i) => (
          <text
            key={tick}
            x={percent(scale(tick))}
            y="14"
            text-anchor={i === 0 ? "start" : scale(tick) > 95 ? "end" : "middle"}
          >
            {formatNumber(tick)}
          </text>
        ))}
      </svg>
      <span class="value unit">{unit}</span>
    </div>
  );
}

/** What the hatched and the filled bars of a figure mean. */
export function PublishedLegend() {
  return (
    <ul class="legend">
      <li>
        <svg aria-hidden="true">
          <rect class="fill s0" width="100%" height="100%" />
        </svg>
        measured (line: confidence interval)
      </li>
      <li>
        <svg aria-hidden="true">
          <rect class="published" width="100%" height="100%" />
        </svg>
        published
      </li>
    </ul>
  );
}

/** The pattern of published bars; once a page. */
export function Hatch() {
  return (
    <svg class="hidden" width="0" height="0" aria-hidden="true">
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse">
        <path d="M-1 7L7 -1M-1 1L1 -1M5 7L7 5" />
      </pattern>
    </svg>
  );
}

function haveOneScale(groups: readonly BarGroup[]): boolean {
  const ends = groups.map(reach).filter((end) => end > 0);
  return new Set(groups.map(({ unit }) => unit)).size === 1 &&
    Math.max(...ends) <= MAX_SHARED_RANGE * Math.min(...ends);
}

/** The largest thing that is drawn of a group; at least something, so that a scale exists. */
function reach({ bars }: BarGroup): number {
  return Math.max(Number.MIN_VALUE, ...bars.map(({ value, high }) => Math.max(value, high ?? 0)));
}

function percent(value: number): string {
  return `${Number(Math.min(100, Math.max(0, value)).toFixed(3))}%`;
}
