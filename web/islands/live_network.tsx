/** The network as a graph: each bridge a rail, each port a box that hangs from it; thicker links are busier. */

import type { HostSample, LinkSample } from "../../mod.ts";
import { formatRate } from "../format.ts";
import { linkRate } from "./rates.ts";
import { useWidth } from "./use_width.ts";

const BOX = { width: 128, height: 46, gap: 16, drop: 34 } as const;
const RAIL_TOP = 30;

/** What is drawn. */
export interface NetworkProps {
  readonly sample: HostSample;
  readonly before: HostSample | undefined;
}

/** See the module comment. */
export function LiveNetwork({ sample, before }: NetworkProps) {
  const [element, width] = useWidth<HTMLDivElement>();
  const bridges = [...Map.groupBy(sample.links, ({ bridge }) => bridge)];
  return (
    <section>
      <h3>Network</h3>
      <div ref={element}>
        {bridges.length === 0 && <p class="soft">No domain is plugged into a network.</p>}
        {width > 0 && bridges.map(([name, links]) => (
          <Bridge
            key={name}
            name={name}
            links={links}
            width={width}
            {...{ sample, before }}
          />
        ))}
      </div>
    </section>
  );
}

function Bridge({ name, links, width, sample, before }: NetworkProps & {
  readonly name: string;
  readonly links: readonly LinkSample[];
  readonly width: number;
}) {
  const columns = Math.max(1, Math.floor((width + BOX.gap) / (BOX.width + BOX.gap)));
  const pitch = BOX.height + BOX.drop;
  const rows = Math.ceil(links.length / columns);
  const height = rows * (pitch + RAIL_TOP);
  return (
    <svg
      class="network"
      viewBox={`0 0 ${width} ${height}`}
      role="img"
      aria-label={`Bridge ${name} with ${links.length} ports`}
    >
      {links.map((link, i) => {
        const column = i % columns;
        const top = Math.floor(i / columns) * (pitch + RAIL_TOP);
        const x = column * (BOX.width + BOX.gap);
        const rate = linkRate(before, sample, link);
        const domain = sample.domains.find(({ id }) => id === link.domain);
        const right = Math.min(columns, links.length) * (BOX.width + BOX.gap) - BOX.gap;
        return (
          <g key={link.port}>
            {column === 0 && (
              <>
                <text x="0" y={top + 16}>{name}</text>
                <line class="rail" x1="4" x2={right - 4} y1={top + RAIL_TOP} y2={top + RAIL_TOP} />
              </>
            )}
            <line
              class={rate > 0 ? "link busy" : "link"}
              x1={x + BOX.width / 2}
              x2={x + BOX.width / 2}
              y1={top + RAIL_TOP}
              y2={top + RAIL_TOP + BOX.drop}
              stroke-width={thickness(rate)}
            />
            <rect x={x} y={top + RAIL_TOP + BOX.drop - 4} width={BOX.width} height={BOX.height} />
            <text x={x + 10} y={top + RAIL_TOP + BOX.drop + 15}>
              {(domain?.name ?? link.port).slice(0, 15)}
            </text>
            <text class="soft" x={x + 10} y={top + RAIL_TOP + BOX.drop + 31}>
              {formatRate(rate, "B/s")}
              {link.droppedFrames > 0 && `, ${link.droppedFrames} lost`}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

/** From a hair for silence to a rope for a gigabit, by orders of magnitude. */
function thickness(bytesPerSecond: number): number {
  return bytesPerSecond <= 0 ? 2 : 2 + Math.min(8, Math.log10(1 + bytesPerSecond));
}
