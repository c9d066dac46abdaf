/** Something for each pair of a local port and a peer's address and port. */

import type { HostAddress } from "./packet.ts";

/** Who talks to whom, from one system's point of view. */
export interface Peers {
  readonly localPort: number;
  readonly remote: HostAddress;
  readonly remotePort: number;
}

const PORTS = 65536;

/** See the module comment. */
export class PeerMap<Value> {
  readonly #byPort = new Map<number, Map<number, Value>>();

  get({ localPort, remote, remotePort }: Peers): Value | undefined {
    return this.find(localPort, remote, remotePort);
  }

  /** As {@link get}, without an object: it is asked for each packet. */
  find(localPort: number, remote: HostAddress, remotePort: number): Value | undefined {
    return this.#byPort.get(localPort)?.get(remote * PORTS + remotePort);
  }

  set({ localPort, remote, remotePort }: Peers, value: Value): void {
    let peers = this.#byPort.get(localPort);
    if (!peers) this.#byPort.set(localPort, peers = new Map());
    peers.set(remote * PORTS + remotePort, value);
  }

  delete({ localPort, remote, remotePort }: Peers): void {
    const peers = this.#byPort.get(localPort);
    peers?.delete(remote * PORTS + remotePort);
    if (peers?.size === 0) this.#byPort.delete(localPort);
  }

  clear(): void {
    this.#byPort.clear();
  }
}
