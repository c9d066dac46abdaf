/** Something for each pair of a local port and a peer's address and port. */

import type { HostAddress } from "./packet.ts";

/** Who talks to whom, from one system's point of view. */
export interface Peers {
  readonly localPort: number;
  readonly remote: HostAddress;
  readonly remotePort: number;
}

/** See the module comment. */
export class PeerMap<Value> {
  /** By address, then by both ports in one: keys of 32 bits are found soonest. */
  readonly #byAddress = new Map<HostAddress, Map<number, Value>>();

  get({ localPort, remote, remotePort }: Peers): Value | undefined {
    return this.find(localPort, remote, remotePort);
  }

  /** As {@link get}, without an object: it is asked for each packet. */
  find(localPort: number, remote: HostAddress, remotePort: number): Value | undefined {
    return this.#byAddress.get(remote)?.get(portsOf(localPort, remotePort));
  }

  set({ localPort, remote, remotePort }: Peers, value: Value): void {
    let peers = this.#byAddress.get(remote);
    if (!peers) this.#byAddress.set(remote, peers = new Map());
    peers.set(portsOf(localPort, remotePort), value);
  }

  delete({ localPort, remote, remotePort }: Peers): void {
    const peers = this.#byAddress.get(remote);
    peers?.delete(portsOf(localPort, remotePort));
    if (peers?.size === 0) this.#byAddress.delete(remote);
  }

  clear(): void {
    this.#byAddress.clear();
  }
}

function portsOf(localPort: number, remotePort: number): number {
  return localPort << 16 | remotePort;
}
