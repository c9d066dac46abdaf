/** Who held which physical CPU, up to the present: a row for each CPU, a colour for each domain. */

import { useEffect, useRef, useState } from "preact/hooks";
import type { RunSpan } from "../../mod.ts";
import { formatNs } from "../format.ts";
import { drawInTurn, leaveTurns } from "./frame_turns.ts";
import { COLOURS, type Palette } from "./palette.ts";
import { useWidth } from "./use_width.ts";

const WINDOWS_MS = [5, 20, 100, 500, 2000] as const;
const ROW = 26;
const LEFT = 52;
const AXIS = 24;

/** What is drawn. */
export interface TimelineProps {
  readonly cpus: number;
  readonly spans: readonly RunSpan[];
  readonly nowNs: number;
  /** Domain ids in the order of their colours. */
  readonly domains: readonly number[];
  readonly palette: Palette | null;
}

/** See the module comment. */
export function LiveTimeline(props: TimelineProps) {
  const { cpus, spans, nowNs, palette } = props;
  const [windowMs, setWindow] = useState<number>(100);
  const [element, width] = useWidth<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  const height = cpus * ROW + AXIS;
  useEffect(() => {
    const { current } = canvas;
    if (!current || !palette || width === 0) return;
    drawInTurn(canvas, () => draw(current, props, palette, windowMs, width, height));
  }, [spans, nowNs, windowMs, width, palette]);
  useEffect(() => () => leaveTurns(canvas), []);
  return (
    <section class="chart">
      <div class="heading">
        <h3>Schedule</h3>
        <label class="row">
          <span class="soft">the last</span>
          <select
            value={windowMs}
            onChange={({ currentTarget }) => setWindow(Number(currentTarget.value))}
          >
            {WINDOWS_MS.map((each) => (
              <option key={each} value={each} selected={each === windowMs}>{`${each} ms`}</option>
            ))}
          </select>
        </label>
      </div>
      <div ref={element}>
        <canvas
          class="timeline"
          ref={canvas}
          role="img"
          aria-label={`Which domain held each of ${cpus} CPUs in the last ${windowMs} ms`}
        />
      </div>
    </section>
  );
}

function draw(
  canvas: HTMLCanvasElement,
  { cpus, spans, nowNs, domains }: TimelineProps,
  palette: Palette,
  windowMs: number,
  width: number,
  height: number,
): void {
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(ratio, ratio);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  const fromNs = nowNs - windowMs * 1e6;
  const across = (ns: number) =>
    LEFT + (width - LEFT) * Math.max(0, ns - fromNs) / (windowMs * 1e6);
  for (let cpu = 0; cpu < cpus; cpu++) {
    context.fillStyle = palette.ink;
    context.fillText(`CPU ${cpu}`, 0, cpu * ROW + ROW / 2);
    context.fillStyle = palette.line;
    context.fillRect(LEFT, cpu * ROW + ROW - 3, width - LEFT, 1);
  }
  for (const { cpu, domain, fromNs: from, toNs } of spans) {
    if (toNs < fromNs) continue;
    const [left, right] = [across(from), across(toNs)];
    context.fillStyle = palette.series[Math.max(0, domains.indexOf(domain)) % COLOURS];
    context.fillRect(left, cpu * ROW + 3, Math.max(0.5, right - left), ROW - 7);
    if (right - left < 34) continue;
    context.fillStyle = palette.onSeries;
    context.fillText(`d${domain}`, left + 6, cpu * ROW + ROW / 2);
  }
  drawAxis(context, palette, fromNs, nowNs, width, cpus * ROW + AXIS / 2);
}

function drawAxis(
  context: CanvasRenderingContext2D,
  { ink }: Palette,
  fromNs: number,
  nowNs: number,
  width: number,
  y: number,
): void {
  context.fillStyle = ink;
  context.textAlign = "left";
  context.fillText(formatNs(Math.max(0, fromNs)), LEFT, y);
  context.textAlign = "right";
  context.fillText(`${formatNs(nowNs)} simulated`, width, y);
  context.textAlign = "left";
}
