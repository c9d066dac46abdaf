/**
 * TIME-WAIT: addresses of closed connections that may not be used again for a while, and what is answered there
 * (RFC 9293, section 3.6.1, "Half-Closed Connections", and 3.10.7.4).
 */

import type { SnapshotValue } from "../../../core/lib/snapshot.ts";
import type { HostAddress } from "./packet.ts";
import { PeerMap, type Peers } from "./peer_map.ts";

/** What is known of a connection that is over. */
export interface TimeWait extends Peers {
  /** In nanoseconds. */
  readonly until: number;
  readonly next: number;
  readonly expected: number;
}

/** Linux 2.4's `TCP_TIMEWAIT_LEN`. */
const TIME_WAIT_NS = 60e9;
/** Linux 2.4's `tcp_max_tw_buckets` for a machine of this size. */
const MAX_TIME_WAITS = 180_000;

/** See the module comment. */
export class TimeWaits {
  /** In order of their ends, from `#first` on. */
  #queue: TimeWait[] = [];
  #first = 0;
  readonly #byPeers = new PeerMap<TimeWait>();

  add({ localPort, remote, remotePort }: Peers, now: number, next: number, expected: number): void {
    this.expire(now);
    if (this.#queue.length - this.#first >= MAX_TIME_WAITS) this.#dropFirst();
    const wait = { localPort, remote, remotePort, until: now + TIME_WAIT_NS, next, expected };
    this.#queue.push(wait);
    this.#byPeers.set(wait, wait);
  }

  find(localPort: number, remote: HostAddress, remotePort: number): TimeWait | undefined {
    return this.#byPeers.find(localPort, remote, remotePort);
  }

  delete(peers: Peers): void {
    this.#byPeers.delete(peers);
  }

  /** Forgets those whose time is over. */
  expire(now: number): void {
    while (this.#first < this.#queue.length && this.#queue[this.#first].until <= now) {
      this.#dropFirst();
    }
    if (this.#first * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#first);
      this.#first = 0;
    }
  }

  save(): SnapshotValue {
    return this.#queue.slice(this.#first)
      .filter((each) => this.#byPeers.get(each) === each)
      .map((each) => ({ ...each }));
  }

  restore(saved: SnapshotValue): void {
    this.#queue = (saved as unknown as readonly TimeWait[]).map((each) => ({ ...each }));
    this.#first = 0;
    this.#byPeers.clear();
    for (const each of this.#queue) this.#byPeers.set(each, each);
  }

  #dropFirst(): void {
    const wait = this.#queue[this.#first++];
    if (this.#byPeers.get(wait) === wait) this.#byPeers.delete(wait);
  }
}
