/**
 * Entering and leaving the FIFO ABI: a control block for each virtual CPU, pages of event words.
 *
 * A domain enters with its first control block; what was pending in the two-level words is carried over
 * and delivered when the page with its word arrives.
 */

import { ERRNO, type Errno } from "../../abi/errno.ts";
import { FIFO, FIFO_CONTROL_BLOCK } from "../../abi/event_channel.ts";
import type { EventPort, GuestFrame, MachineFrame, VcpuId } from "../../abi/ids.ts";
import type { DomainChannels, FifoState } from "./channel.ts";
import type { EventWords } from "./event_words.ts";
import type { EventChannelPorts } from "./ports.ts";

const FRAME_BYTES = 4096;
const MAX_PAGES = FIFO.NR_CHANNELS / FIFO.WORDS_PER_PAGE;

/** Takes `frame` as the control block of `vcpu`, at `offset` bytes; `null` on success. */
export function initControl(
  of: DomainChannels,
  ports: EventChannelPorts,
  words: EventWords,
  frame: GuestFrame,
  offset: number,
  vcpu: VcpuId,
): Errno | null {
  const outside = offset < 0 || offset > FRAME_BYTES - FIFO_CONTROL_BLOCK.sizeBytes();
  if (outside || offset % 8 !== 0) return ERRNO.EINVAL;
  if (of.fifo?.vcpus[vcpu].control) return ERRNO.EINVAL;
  const taken = ports.takeFrame(of.domain.id, frame);
  if (taken === null) return ERRNO.EINVAL;
  if (!of.fifo) {
    const pending = of.channels.map((_, port) => words.isPending(of, port as EventPort));
    of.fifo = emptyFifo(of.domain.vcpuCount);
    of.channels.forEach((channel, port) => {
      channel.pendingEarly = pending[port];
      channel.priority = channel.lastPriority = FIFO.PRIORITY_DEFAULT;
    });
  }
  of.fifo.vcpus[vcpu].control = { frame: taken, offset };
  return null;
}

/** Takes `frame` as the next page of event words; `null` on success. */
export function expandArray(
  { fifo, domain }: DomainChannels,
  ports: EventChannelPorts,
  frame: GuestFrame,
): Errno | null {
  if (!fifo) return ERRNO.EOPNOTSUPP;
  if (fifo.pages.length >= MAX_PAGES) return ERRNO.ENOSPC;
  const taken = ports.takeFrame(domain.id, frame);
  if (taken === null) return ERRNO.EINVAL;
  fifo.pages.push(taken);
  return null;
}

/** Returns to the two-level ABI; answers the frames that the FIFO ABI held. */
export function leaveFifo(of: DomainChannels): MachineFrame[] {
  const { fifo } = of;
  if (!fifo) return [];
  of.fifo = null;
  for (const channel of of.channels) channel.pendingEarly = false;
  return framesOfFifo(fifo);
}

/** What the FIFO ABI holds of a guest: its pages of event words, its control blocks. */
export function framesOfFifo({ pages, vcpus }: FifoState): MachineFrame[] {
  const controls = vcpus.flatMap(({ control }) => control ? [control.frame] : []);
  return [...pages, ...controls];
}

function emptyFifo(vcpuCount: number): FifoState {
  const vcpus = Array.from({ length: vcpuCount }, () => ({
    control: null,
    tails: new Array<number>(FIFO.MAX_QUEUES).fill(0),
  }));
  return { vcpus, pages: [] };
}
