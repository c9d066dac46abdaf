/** A domain's channels as a snapshot's plain data, and back. */

import type { EventPort, MachineFrame, VcpuId } from "../../abi/ids.ts";
import type { SnapshotValue } from "../../lib/snapshot.ts";
import { type Binding, type Channel, type DomainChannels, freeChannel } from "./channel.ts";
import type { FramePlace } from "./ports.ts";

type Saved = { readonly [field: string]: SnapshotValue };

/** The state of `of`; free channels are left out. */
export function saveChannels(of: DomainChannels): Saved {
  const blank = JSON.stringify(freeChannel());
  const channels = of.channels.flatMap((channel, port) =>
    JSON.stringify(channel) === blank ? [] : [{ ...channel, binding: { ...channel.binding }, port }]
  );
  return {
    id: of.domain.id,
    count: of.channels.length,
    channels,
    virqPorts: of.virqPorts.map((ports) => [...ports]),
    polled: of.polled.map((ports) => ports && [...ports]),
    fifo: of.fifo && {
      pages: [...of.fifo.pages],
      vcpus: of.fifo.vcpus.map(({ control, tails }) => ({
        control: control && { ...control },
        tails: [...tails],
      })),
    },
  };
}

/** Replaces the state of `of` by what {@link saveChannels} made. */
export function loadChannels(of: DomainChannels, saved: Saved): void {
  const channels = Array.from({ length: saved.count as number }, freeChannel);
  for (const each of saved.channels as unknown as (Channel & { port: number })[]) {
    const { port, ...channel } = each;
    channels[port] = { ...channel, binding: { ...channel.binding } as Binding };
  }
  of.channels.splice(0, of.channels.length, ...channels);
  const virqPorts = (saved.virqPorts as number[][]).map((ports) => [...ports]);
  of.virqPorts.splice(0, of.virqPorts.length, ...virqPorts);
  const polled = (saved.polled as (EventPort[] | null)[]).map((ports) => ports && [...ports]);
  of.polled.splice(0, of.polled.length, ...polled);
  const fifo = saved.fifo as unknown as
    | { pages: MachineFrame[]; vcpus: { control: FramePlace | null; tails: VcpuId[] }[] }
    | null;
  of.fifo = fifo && {
    pages: [...fifo.pages],
    vcpus: fifo.vcpus.map(({ control, tails }) => ({
      control: control && { ...control },
      tails: [...tails],
    })),
  };
}
