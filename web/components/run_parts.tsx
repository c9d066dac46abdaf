/** What run pages are made of: status, facts, tables, comparisons, figures. */

import type { ComponentChildren } from "preact";
import type {
  Cell,
  ComparedCell,
  Comparison,
  Figure,
  RunRecord,
  RunStatus,
  RunTable,
  Series,
} from "../../mod.ts";
import { formatNumber, formatSigned } from "../format.ts";
import { type BarGroup, Bars, PublishedLegend } from "./bars.tsx";
import { Lines } from "./lines.tsx";

/** Errors below these are good, then fair; in percent. */
const GOOD_PERCENT = 5;
const FAIR_PERCENT = 15;
/** The error at which its mark reaches the end. */
const FULL_PERCENT = 30;

/** A status as a shape, a colour and a word. */
export function Status({ of }: { readonly of: RunStatus }) {
  return <span class={`status ${of}`}>{of}</span>;
}

/** Terms and what they are. */
export function Facts({ of, long = false }: {
  readonly of: readonly (readonly [term: string, value: ComponentChildren])[];
  /** Whether each needs a line of its own. */
  readonly long?: boolean;
}) {
  return (
    <dl class={long ? "facts long" : "facts"}>
      {of.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A frame in which something wide scrolls by itself, by keyboard too. */
export function Scroll({ label, children, tall = false }: {
  readonly label: string;
  readonly children: ComponentChildren;
  readonly tall?: boolean;
}) {
  return (
    <div class={tall ? "scroll tall" : "scroll"} role="region" aria-label={label} tabindex={0}>
      {children}
    </div>
  );
}

/** A table of results. */
export function ResultTable({ table }: { readonly table: RunTable }) {
  return (
    <section>
      <h2>{table.title}</h2>
      <Scroll label={table.title}>
        <table>
          <thead>
            <tr>
              {table.columns.map(({ name, unit }, i) => (
                <th key={i} scope="col" class={isNumeric(table, i) ? "number" : undefined}>
                  {name} {unit && <span class="unit">{unit}</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.map((cells, row) => (
              <tr key={row}>
                {cells.map((cell, i) => (
                  <DataCell key={i} cell={cell} first={i === 0} numeric={isNumeric(table, i)} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {table.notes.map((note, i) => <p key={i} class="soft">{note}</p>)}
    </section>
  );
}

function DataCell({ cell, first, numeric }: {
  readonly cell: Cell;
  readonly first: boolean;
  readonly numeric: boolean;
}) {
  const text = cell === null ? "–" : typeof cell === "number" ? formatNumber(cell) : cell;
  const style = numeric ? "number" : undefined;
  return first ? <th scope="row" class={style}>{text}</th> : <td class={style}>{text}</td>;
}

function isNumeric({ rows }: RunTable, column: number): boolean {
  return rows.some((cells) => typeof cells[column] === "number");
}

/** Measured figures beside published ones: bars, then every number with its error. */
export function ComparisonView({ of }: { readonly of: Comparison }) {
  const errors = of.cells.filter(({ fitted }) => !fitted)
    .flatMap(({ errorPercent }) => errorPercent === null ? [] : [Math.abs(errorPercent)])
    .sort((a, b) => a - b);
  return (
    <section>
      <h2>{of.title}</h2>
      <p class="soft">
        Published: {of.source}. {errors.length > 0 &&
          `Median error ${formatNumber(Number(median(errors).toFixed(1)))} %, largest ${
            formatNumber(Number(errors[errors.length - 1].toFixed(1)))
          } %, over ${errors.length} figures that nothing was fitted to.`}
      </p>
      <PublishedLegend />
      <Bars groups={comparisonGroups(of)} />
      <details>
        <summary>All figures of this comparison</summary>
        <ComparisonTable of={of} />
      </details>
    </section>
  );
}

function ComparisonTable({ of }: { readonly of: Comparison }) {
  return (
    <Scroll label={of.title}>
      <table>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Where</th>
            <th scope="col" class="number">Measured</th>
            <th scope="col" class="number">Published</th>
            <th scope="col" class="number">Error</th>
          </tr>
        </thead>
        <tbody>
          {of.cells.map((cell, i) => (
            <tr key={i}>
              <th scope="row">{cell.row}</th>
              <td>{cell.column} {cell.fitted && <span class="badge">fitted</span>}</td>
              <td class="number">
                {formatNumber(cell.measured)} <span class="unit">{cell.unit}</span>
                {cell.confidence && (
                  <div class="unit">
                    {formatNumber(cell.confidence.low)} to {formatNumber(cell.confidence.high)}
                  </div>
                )}
              </td>
              <td class="number">{cell.published === null ? "–" : formatNumber(cell.published)}</td>
              <td class="number">
                <ErrorMark of={cell} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** An error as a number and as a small bar to either side of zero. */
export function ErrorMark({ of: { errorPercent, fitted } }: {
  readonly of: Pick<ComparedCell, "errorPercent" | "fitted">;
}) {
  if (errorPercent === null) return <>–</>;
  const size = Math.abs(errorPercent);
  const grade = fitted || size <= GOOD_PERCENT ? "good" : size <= FAIR_PERCENT ? "fair" : "poor";
  const width = Math.min(1, size / FULL_PERCENT) * 50;
  return (
    <span class="error">
      {formatSigned(errorPercent)} %
      <svg aria-hidden="true">
        <rect
          class={grade}
          x={`${errorPercent < 0 ? 50 - width : 50}%`}
          y="1"
          width={`${width}%`}
          height="9"
        />
        <line class="zero" x1="50%" x2="50%" y1="0" y2="100%" />
      </svg>
    </span>
  );
}

function comparisonGroups({ cells }: Comparison): BarGroup[] {
  const columns = [...new Set(cells.map(({ column }) => column))];
  const groups = Map.groupBy(cells, ({ row, unit }) => `${row}\n${unit}`);
  return [...groups.values()].map((group) => ({
    label: group[0].row,
    unit: group[0].unit,
    bars: group.flatMap((cell) => {
      const series = columns.indexOf(cell.column);
      const note = cell.errorPercent === null
        ? undefined
        : `${formatSigned(cell.errorPercent)} %${cell.fitted ? ", fitted" : ""}`;
      const measured = {
        name: cell.column,
        series,
        value: cell.measured,
        published: false,
        low: cell.confidence?.low,
        high: cell.confidence?.high,
        note,
      };
      if (cell.published === null) return [measured];
      return [measured, {
        name: `${cell.column}, published`,
        series,
        value: cell.published,
        published: true,
      }];
    }),
  }));
}

/** A figure of a run; nothing if what it draws is not there yet. */
export function RunFigure({ figure, run }: { readonly figure: Figure; readonly run: RunRecord }) {
  const { of } = figure;
  if ("comparison" in of) return null;
  const drawing = "series" in of
    ? drawSeries(figure, run.series.filter(({ name }) => of.series.includes(name)))
    : drawTable(figure, run.tables.find(({ name }) => name === of.table), of.columns);
  return drawing && (
    <section>
      <h2>{figure.title}</h2>
      {drawing}
    </section>
  );
}

function drawSeries({ kind, title }: Figure, series: readonly Series[]) {
  if (series.length === 0) return null;
  if (kind === "bars") {
    return (
      <Bars
        groups={series.map(({ title, unit, points, xUnit }) => ({
          label: title,
          unit,
          bars: points.map(([x, value], i) => ({
            name: `${formatNumber(x)} ${xUnit}`,
            series: i,
            value,
            published: false,
          })),
        }))}
      />
    );
  }
  return (
    <Lines
      lines={series.map((each) => ({ name: each.title, points: each.points }))}
      x={{ name: series[0].xName, unit: series[0].xUnit }}
      y={{ name: commonName(series.map((each) => each.title)) ?? title, unit: series[0].unit }}
      step={kind === "step"}
      label={title}
    />
  );
}

/** A table's columns over its first one: lines over numbers, bars over names. */
function drawTable({ kind, title }: Figure, table: RunTable | undefined, only?: readonly string[]) {
  if (!table) return null;
  const wanted = table.columns.map(({ name }, i) => ({ name, i }))
    .filter(({ name, i }) => i > 0 && isNumeric(table, i) && (only?.includes(name) ?? true));
  if (wanted.length === 0) return null;
  const unit = table.columns[wanted[0].i].unit;
  const [first] = table.columns;
  if (kind !== "bars" && isNumeric(table, 0)) {
    const lines = wanted.map(({ name, i }) => ({
      name,
      points: table.rows.flatMap((cells): [number, number][] =>
        typeof cells[0] === "number" && typeof cells[i] === "number" ? [[cells[0], cells[i]]] : []
      ),
    }));
    return (
      <Lines
        lines={lines}
        x={first}
        y={{ name: wanted.length === 1 ? wanted[0].name : title, unit }}
        step={kind === "step"}
        label={title}
      />
    );
  }
  return (
    <Bars
      groups={table.rows.map((cells) => ({
        label: `${isNumeric(table, 0) ? `${first.name} ` : ""}${cells[0] ?? ""}`,
        unit,
        bars: wanted.flatMap(({ name, i }, series) => {
          const value = cells[i];
          return typeof value === "number" ? [{ name, series, value, published: false }] : [];
        }),
      }))}
    />
  );
}

function commonName(names: readonly string[]): string | null {
  return names.length === 1 ? names[0] : null;
}

function median(sorted: readonly number[]): number {
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
