/** One host: its domains as a table, and their quantities over time. */

import { useState } from "preact/hooks";
import type { DomainSample, HostSample } from "../../mod.ts";
import { Scroll } from "../components/run_parts.tsx";
import { formatBytes, formatNs, formatNumber, formatRate } from "../format.ts";
import type { ConsoleCard } from "../live/messages.ts";
import { type ChartProps, LiveChart } from "./live_chart.tsx";
import { LiveNetwork } from "./live_network.tsx";
import type { HostHistory } from "./live_store.ts";
import { LiveTimeline } from "./live_timeline.tsx";
import { COLOURS, type Palette } from "./palette.ts";
import { QUANTITIES, type Quantity, type Rates } from "./rates.ts";

/** Steps of an axis of sizes: 1 KiB to 1 TiB. */
const POWERS_OF_TWO = Array.from({ length: 31 }, (_, i) => 2 ** (i + 10));

const CHARTS: Readonly<
  Record<Quantity, Pick<ChartProps, "title" | "unit" | "format" | "steps">>
> = {
  cpu: { title: "CPU", unit: "% of one CPU", format: (value) => `${formatNumber(value)} %` },
  memory: { title: "Memory", unit: "bytes", format: formatBytes, steps: POWERS_OF_TWO },
  network: {
    title: "Network",
    unit: "bytes/s, both ways",
    format: (value) => formatRate(value, "B/s"),
  },
  disk: { title: "Disk", unit: "bytes/s, both ways", format: (value) => formatRate(value, "B/s") },
};
/** Until more domains than this are there, every one's lines are shown. */
const MAX_SHOWN_AT_FIRST = 64;

/** The rates of a domain of which there is one sample only. */
const NOTHING: Rates = { cpu: 0, memory: 0, network: 0, disk: 0 };

/** What is shown of a host. */
export interface LiveHostProps {
  readonly channel: string;
  readonly host: HostHistory;
  readonly consoles: readonly ConsoleCard[];
  readonly palette: Palette | null;
}

/** A host in a few words: `2 CPUs, credit2, 2 GiB; 9.75 s simulated`. */
export function aboutHost({ cpus, scheduler, memoryBytes, timeNs }: HostSample): string {
  const parts = [
    `${cpus.length} ${cpus.length === 1 ? "CPU" : "CPUs"}`,
    scheduler,
    ...(memoryBytes > 0 ? [formatBytes(memoryBytes)] : []),
  ];
  return `${parts.join(", ")}; ${formatNs(timeNs)} simulated`;
}

/** See the module comment. */
export function LiveHost({ channel, host, consoles, palette }: LiveHostProps) {
  const [hidden, setHidden] = useState<ReadonlySet<number>>(new Set());
  const { latest, before } = host;
  const domains = latest.domains.map(({ id }) => id);
  const lines = latest.domains.map(({ id, name }, index) => ({
    name,
    domain: id,
    index,
    shown: !hidden.has(id) && index < MAX_SHOWN_AT_FIRST,
  }));
  const toggle = (id: number) => {
    const next = new Set(hidden);
    if (!next.delete(id)) next.add(id);
    setHidden(next);
  };
  return (
    <section class="host">
      <Domains {...{ channel, host, hidden, toggle, consoles }} />
      <div class="charts">
        {QUANTITIES.filter((quantity) => host.seen.has(quantity)).map((quantity) => (
          <LiveChart
            key={quantity}
            {...CHARTS[quantity]}
            quantity={quantity}
            lines={lines}
            rows={host.rows}
            palette={palette}
          />
        ))}
      </div>
      <LiveTimeline
        cpus={latest.cpus.length}
        spans={host.schedule}
        nowNs={latest.timeNs}
        domains={domains}
        palette={palette}
      />
      <LiveNetwork sample={latest} before={before} />
    </section>
  );
}

function Domains({ channel, host, hidden, toggle, consoles }: {
  readonly channel: string;
  readonly host: HostHistory;
  readonly hidden: ReadonlySet<number>;
  readonly toggle: (id: number) => void;
  readonly consoles: readonly ConsoleCard[];
}) {
  const rates = host.rows.at(-1)?.domains;
  return (
    <Scroll label={`Domains of ${host.name}`} tall>
      <table>
        <thead>
          <tr>
            <th scope="col">Domain</th>
            <th scope="col">State</th>
            <th scope="col" class="number">VCPUs</th>
            <th scope="col" class="number">
              CPU <span class="unit">%</span>
            </th>
            <th scope="col" class="number">CPU time</th>
            <th scope="col" class="number">Memory</th>
            <th scope="col" class="number">Network</th>
            <th scope="col" class="number">Disk</th>
            <th scope="col">Console</th>
          </tr>
        </thead>
        <tbody>
          {host.latest.domains.map((domain, index) => (
            <tr key={domain.id}>
              <th scope="row">
                <label>
                  <input
                    type="checkbox"
                    checked={!hidden.has(domain.id)}
                    onChange={() => toggle(domain.id)}
                    aria-label={`Plot ${domain.name}`}
                  />{" "}
                  <span class={`swatch s${index % COLOURS}`} />
                  {domain.name} <span class="soft">{domain.id}</span>
                </label>
              </th>
              <Figures domain={domain} rates={rates?.get(domain.id) ?? NOTHING} />
              <td>
                <ConsoleLink
                  channel={channel}
                  of={consoles.find(({ key }) => key === `${host.name}/${domain.id}`)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Figures({ domain, rates }: { readonly domain: DomainSample; readonly rates: Rates }) {
  return (
    <>
      <td>{domain.activity}</td>
      <td class="number">{domain.vcpus}</td>
      <td class="number">{rates.cpu.toFixed(1)}</td>
      <td class="number">{formatNs(domain.cpuNs)}</td>
      <td class="number">{domain.memoryBytes > 0 ? formatBytes(domain.memoryBytes) : "–"}</td>
      <td class="number">{formatRate(rates.network, "B/s")}</td>
      <td class="number">{formatRate(rates.disk, "B/s")}</td>
    </>
  );
}

/** A link to a console, if there is one. */
export function ConsoleLink({ channel, of }: {
  readonly channel: string;
  readonly of: ConsoleCard | undefined;
}) {
  if (!of) return <>–</>;
  return (
    <a href={`/live/${channel}/console?key=${encodeURIComponent(of.key)}`}>
      open<span class="hidden">{` the console of ${of.title}`}</span>
    </a>
  );
}
