/**
 * How an event reaches a guest: the words that both ABIs share with it.
 *
 * Everything that a guest may have written into these words is taken as it is: a bit is looked at, set
 * or cleared, and no link is followed further than one port.
 */

import { FIFO, FIFO_WORD, TWO_LEVEL, VCPU_INFO_UPCALL } from "../../abi/event_channel.ts";
import type { EventPort, MachineFrame, VcpuId } from "../../abi/ids.ts";
import type { FrameMemory } from "../frame_memory.ts";
import type { Channel, DomainChannels, FifoState } from "./channel.ts";
import type { FramePlace } from "./ports.ts";

/** Offsets in a control block. */
const CONTROL = { ready: 0, head: 8 } as const;

/** Sets, clears and reads pending and mask bits for whichever ABI a domain uses. */
export class EventWords {
  constructor(
    private readonly memory: FrameMemory,
    /** `evtchn_upcall_pending` has just become set. */
    private readonly upcall: (channels: DomainChannels, vcpu: VcpuId) => void,
  ) {}

  /** Marks `port` pending, and raises the upcall of its virtual CPU unless it is masked or was pending. */
  setPending(channels: DomainChannels, port: EventPort): void {
    const channel = channels.channels[port];
    if (channels.fifo) this.#setFifo(channels, channels.fifo, port, channel);
    else this.#setTwoLevel(channels, port, channel.notifyVcpu);
  }

  /** Forgets that `port` is pending. */
  clearPending(channels: DomainChannels, port: EventPort): void {
    const { fifo } = channels;
    if (!fifo) {
      this.#changeBit(this.#twoLevelPlace(channels, "evtchnPending", port), port, false);
      return;
    }
    channels.channels[port].pendingEarly = false;
    const place = wordPlace(fifo, port);
    if (place) this.#write(place, this.#read(place) & ~FIFO_WORD.PENDING);
  }

  isPending(channels: DomainChannels, port: EventPort): boolean {
    const { fifo } = channels;
    if (!fifo) return this.#testBit(this.#twoLevelPlace(channels, "evtchnPending", port), port);
    const place = wordPlace(fifo, port);
    return place
      ? (this.#read(place) & FIFO_WORD.PENDING) !== 0
      : channels.channels[port].pendingEarly;
  }

  /** Unmasks `port`; if it is pending it is delivered now. */
  unmask(channels: DomainChannels, port: EventPort): void {
    const { fifo } = channels;
    if (fifo) {
      const place = wordPlace(fifo, port);
      if (!place) return;
      this.#write(place, this.#read(place) & ~FIFO_WORD.MASKED);
      if (this.#read(place) & FIFO_WORD.PENDING) this.setPending(channels, port);
      return;
    }
    const place = this.#twoLevelPlace(channels, "evtchnMask", port);
    const wasMasked = this.#testBit(place, port);
    this.#changeBit(place, port, false);
    if (wasMasked && this.isPending(channels, port)) {
      this.#select(channels, port, channels.channels[port].notifyVcpu);
    }
  }

  /** After a page of event words was added: delivers what became pending too early for it. */
  deliverEarly(channels: DomainChannels): void {
    channels.channels.forEach((channel, port) => {
      if (!channel.pendingEarly || !wordPlace(channels.fifo!, port)) return;
      channel.pendingEarly = false;
      this.setPending(channels, port as EventPort);
    });
  }

  #setTwoLevel(channels: DomainChannels, port: EventPort, vcpu: VcpuId): void {
    const pending = this.#twoLevelPlace(channels, "evtchnPending", port);
    if (!pending || this.#testBit(pending, port)) return;
    this.#changeBit(pending, port, true);
    if (this.#testBit(this.#twoLevelPlace(channels, "evtchnMask", port), port)) return;
    this.#select(channels, port, vcpu);
  }

  /** Sets the word's bit in the virtual CPU's selector, and raises the upcall if it was clear. */
  #select(channels: DomainChannels, port: EventPort, vcpu: VcpuId): void {
    const { evtchnPendingSel, wordBits } = TWO_LEVEL[channels.domain.model];
    const info = channels.domain.vcpuInfo(vcpu);
    if (!info) return;
    const word = Math.floor(port / wordBits);
    const place = { frame: info.frame, offset: info.offset + evtchnPendingSel + 4 * (word >>> 5) };
    if (this.#testBit(place, word)) return;
    this.#changeBit(place, word, true);
    this.#markEventsPending(channels, vcpu, info);
  }

  #markEventsPending(channels: DomainChannels, vcpu: VcpuId, info: FramePlace): void {
    const offset = info.offset + VCPU_INFO_UPCALL.pending;
    const before = this.memory.read8(info.frame, offset);
    if (before & 1) return;
    this.memory.write8(info.frame, offset, before | 1);
    this.upcall(channels, vcpu);
  }

  #setFifo(
    channels: DomainChannels,
    fifo: FifoState,
    port: EventPort,
    channel: Channel,
  ): void {
    const place = wordPlace(fifo, port);
    if (!place) {
      channel.pendingEarly = true;
      return;
    }
    const word = this.#read(place);
    this.#write(place, word | FIFO_WORD.PENDING);
    const vcpu = fifo.vcpus[channel.notifyVcpu];
    if (word & (FIFO_WORD.MASKED | FIFO_WORD.LINKED) || !vcpu?.control) return;
    this.#write(place, word | FIFO_WORD.PENDING | FIFO_WORD.LINKED);
    this.#moveQueue(fifo, port, channel);
    const { priority } = channel;
    const appended = this.#linkTail(fifo, vcpu.tails[priority], port);
    vcpu.tails[priority] = port;
    if (appended) return;
    const { frame, offset } = vcpu.control;
    this.memory.write32(frame, offset + CONTROL.head + 4 * priority, port);
    const ready = this.memory.read32(frame, offset + CONTROL.ready);
    if (ready & (1 << priority)) return;
    this.memory.write32(frame, offset + CONTROL.ready, ready | (1 << priority));
    const info = channels.domain.vcpuInfo(channel.notifyVcpu);
    if (info) this.#markEventsPending(channels, channel.notifyVcpu, info);
  }

  /** A port that was the last of another queue is so no longer. */
  #moveQueue(fifo: FifoState, port: EventPort, channel: Channel): void {
    const { lastVcpu, lastPriority, notifyVcpu, priority } = channel;
    if (lastVcpu === notifyVcpu && lastPriority === priority) return;
    const tails = fifo.vcpus[lastVcpu]?.tails;
    if (tails?.[lastPriority] === port) tails[lastPriority] = 0;
    channel.lastVcpu = notifyVcpu;
    channel.lastPriority = priority;
  }

  /** Appends `port` behind `tail`; false if the guest has taken `tail` off the queue already. */
  #linkTail(fifo: FifoState, tail: number, port: EventPort): boolean {
    const place = tail === 0 ? null : wordPlace(fifo, tail);
    if (!place || tail === port) return false;
    const word = this.#read(place);
    if (!(word & FIFO_WORD.LINKED)) return false;
    this.#write(place, (word & ~(FIFO_WORD.BUSY | FIFO.LINK_MASK)) | port);
    return true;
  }

  /** The 32-bit word that holds the port's bit, or `null` if the domain shares no page. */
  #twoLevelPlace(
    { domain }: DomainChannels,
    which: "evtchnPending" | "evtchnMask",
    port: EventPort,
  ): FramePlace | null {
    if (domain.sharedInfo === null) return null;
    const offset = TWO_LEVEL[domain.model][which] + 4 * (port >>> 5);
    return { frame: domain.sharedInfo, offset };
  }

  #testBit(place: FramePlace | null, bit: number): boolean {
    return place !== null && (this.#read(place) & (1 << (bit & 31))) !== 0;
  }

  #changeBit(place: FramePlace | null, bit: number, set: boolean): void {
    if (!place) return;
    const mask = 1 << (bit & 31);
    this.#write(place, set ? this.#read(place) | mask : this.#read(place) & ~mask);
  }

  #read({ frame, offset }: FramePlace): number {
    return this.memory.read32(frame, offset);
  }

  #write({ frame, offset }: FramePlace, value: number): void {
    this.memory.write32(frame, offset, value >>> 0);
  }
}

/** The event word of `port`, or `null` if its page has not been given. */
function wordPlace({ pages }: FifoState, port: number): FramePlace | null {
  const frame: MachineFrame | undefined = pages[Math.floor(port / FIFO.WORDS_PER_PAGE)];
  return frame === undefined ? null : { frame, offset: 4 * (port % FIFO.WORDS_PER_PAGE) };
}
