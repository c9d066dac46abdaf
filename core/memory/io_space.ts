/** The I/O port space: who answers on which port. Unclaimed ports read all-ones and swallow writes. */

import type { PortBus, PortDevice, PortSize } from "./ports.ts";

interface Claim {
  readonly first: number;
  readonly last: number;
  readonly name: string;
  readonly device: PortDevice;
}

/** All-ones of the given width. */
export function floatingBus(size: PortSize): number {
  return size === 1 ? 0xff : size === 2 ? 0xffff : 0xffffffff;
}

/** The 65,536 I/O ports of one machine. An access that spans two claims is split into bytes. */
export class IoSpace implements PortBus {
  readonly #claims: (Claim | undefined)[] = new Array(0x10000);
  /** Told of each access of the guest, after it was carried out. */
  onAccess: (write: boolean, port: number, value: number) => void = () => {};

  attachPorts(first: number, last: number, name: string, device: PortDevice): void {
    if (!(first >= 0 && first <= last && last <= 0xffff)) {
      throw new RangeError(`ports ${first}..${last} of ${name} are not within 0..65535`);
    }
    for (let port = first; port <= last; port++) {
      const other = this.#claims[port];
      if (other) {
        throw new RangeError(
          `port 0x${port.toString(16)} of ${name} belongs to ${other.name} already`,
        );
      }
    }
    this.#claims.fill({ first, last, name, device }, first, last + 1);
  }

  detachPorts(first: number): void {
    const claim = this.#claims[first];
    if (claim?.first === first) this.#claims.fill(undefined, first, claim.last + 1);
  }

  /** Reads `size` bytes at `port`, as the guest's IN does. */
  read(port: number, size: PortSize): number {
    const value = this.#read(port, size);
    this.onAccess(false, port, value);
    return value;
  }

  /** Writes the low `size` bytes of `value` at `port`, as the guest's OUT does. */
  write(port: number, size: PortSize, value: number): void {
    this.#write(port, size, value);
    this.onAccess(true, port, value);
  }

  /** The claims, in port order, for listings. */
  *claims(): IterableIterator<{ first: number; last: number; name: string }> {
    let previous: Claim | undefined;
    for (const claim of this.#claims) {
      if (claim && claim !== previous) {
        yield { first: claim.first, last: claim.last, name: claim.name };
      }
      previous = claim;
    }
  }

  #read(port: number, size: PortSize): number {
    const claim = this.#claims[port];
    if (size === 1 || this.#sameClaim(claim, port, size)) {
      return claim ? claim.device.readPort(port, size) >>> 0 : floatingBus(size);
    }
    let value = 0;
    for (let byte = 0; byte < size; byte++) {
      value |= this.#read((port + byte) & 0xffff, 1) << (8 * byte);
    }
    return value >>> 0;
  }

  #write(port: number, size: PortSize, value: number): void {
    const claim = this.#claims[port];
    if (size === 1 || this.#sameClaim(claim, port, size)) {
      claim?.device.writePort(port, size, value >>> 0);
      return;
    }
    for (let byte = 0; byte < size; byte++) {
      this.#write((port + byte) & 0xffff, 1, (value >>> (8 * byte)) & 0xff);
    }
  }

  #sameClaim(claim: Claim | undefined, port: number, size: PortSize): boolean {
    return this.#claims[port + size - 1] === claim;
  }
}
