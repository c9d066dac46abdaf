/** What a domain is made from, in words of `xl.cfg`: kernel, memory, virtual CPUs, devices. */

import type { DomainId } from "../../core/lib/brand.ts";
import type { MacAddress } from "../../devices/net/mod.ts";
import type { DiskChoice, VifChoice } from "./split_devices.ts";

/** The kernel of a driver domain, which is a model. */
export const DRIVERS = "drivers";
/** Xen's part of the MAC addresses; the rest is a domain's id and a card's number. */
const XEN_MAC = 0x00163e000000;

/** A domain to create; words of `xl.cfg`. */
export interface DomainConfig<Disk = DiskConfig> extends DomainDevices<Disk> {
  readonly name: string;
  /**
   * `debian`, the name of another image, `tiny` for a small kernel of our own, `drivers` for a modelled one that runs back
   * ends of other domains' devices, or an ELF kernel with Xen notes.
   */
  readonly kernel: string | Uint8Array;
  readonly ramdisk?: Uint8Array;
  readonly memory: string;
  /** How far it may balloon; default: `memory`. */
  readonly maxmem?: string;
  readonly vcpus?: number;
  /** Virtual CPUs that it has, though only the first `vcpus` of them are to be brought up; default: `vcpus`. */
  readonly maxvcpus?: number;
  /** The kernel's command line. */
  readonly extra?: string;
}

/** Devices of a domain. */
export interface DomainDevices<Disk = DiskConfig> {
  readonly disk?: readonly Disk[];
  /** Network cards; a MAC address that is left out follows from the domain's id. */
  readonly vif?: readonly VifConfig[];
}

/** Where a device's back end is. */
export interface Backed {
  /** The name or the number of a driver domain, or `Domain-0`; default: as the host's option `backEnds` says. */
  readonly backend?: string | number;
}

/** A disk to plug in. */
export type DiskConfig = Omit<DiskChoice, "backend"> & Backed;

/** A network card to create. */
export type VifConfig = Omit<VifChoice, "mac" | "backend"> & Backed & { readonly mac?: string };

/** The MAC address of a domain's card that was given none. */
export function macOf(domain: DomainId, index: number): MacAddress {
  return XEN_MAC + (domain & 0x7fff) * 0x100 + (index & 0xff) as MacAddress;
}
