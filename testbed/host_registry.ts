/** The hosts of this process, by name, for live views; a host nobody holds any more leaves it. */

import type { Host } from "./host/host.ts";

/** Hosts as `host1`, `host2`, … in the order of their boot. Holds them weakly. */
export class HostRegistry {
  readonly #hosts = new Map<string, WeakRef<Host>>();
  #booted = 0;

  /** Adds a host that has just been booted; returns its name. */
  add(host: Host): string {
    const name = `host${++this.#booted}`;
    this.#hosts.set(name, new WeakRef(host));
    return name;
  }

  get(name: string): Host | undefined {
    return this.#hosts.get(name)?.deref();
  }

  /** The hosts there are, by name, oldest first. */
  *[Symbol.iterator](): IterableIterator<readonly [name: string, host: Host]> {
    for (const [name, reference] of this.#hosts) {
      const host = reference.deref();
      if (host) yield [name, host];
      else this.#hosts.delete(name);
    }
  }
}

/** Every host that `Host.boot` of the public face booted in this process. */
export const hosts: HostRegistry = new HostRegistry();
