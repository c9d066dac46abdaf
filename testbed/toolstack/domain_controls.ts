/**
 * What can be done to a domain while it lives: asking its kernel, memory, virtual CPUs, scheduling, network cards.
 *
 * Source of operations and words: Xen's `docs/man/xl.1.pod.in`.
 */

import type { DomainId } from "../../core/lib/brand.ts";
import { parseMac } from "../../devices/net/mod.ts";
import type { PluggedCard, VifChoice } from "../host/split_devices.ts";
import { pcapFile } from "../pcap_file.ts";
import type { Host, HostDomain, HostRunOptions, VifConfig } from "../host/host.ts";
import type { StopReason } from "../machine_api.ts";
import { suggest } from "../suggestion.ts";
import { parseSize } from "../units.ts";
import { formatCpuList, parseCpuList } from "./cpu_list.ts";
import { parseVif, parseVifRate, type VifSpec } from "./xl_cfg/device_specs.ts";

const DOM0 = 0 as DomainId;
const PAGE_BYTES = 4096;
const PAGES_PER_MIB = 2 ** 20 / PAGE_BYTES;

/** How operations name a domain: by its name, its number, or itself. */
export type DomainReference = string | number | HostDomain;

/** See the module comment. */
export class DomainControls {
  constructor(readonly host: Host) {}

  /** The domain meant; throws `RangeError` that names those there are. */
  domain(reference: DomainReference): HostDomain {
    if (typeof reference === "object") return reference;
    const { domains } = this.host;
    const found = domains.find(({ id, name }) =>
      String(id) === String(reference) || name === reference
    );
    if (found) return found;
    if (String(reference) === "0" || reference === "Domain-0") {
      throw new RangeError("Domain-0 belongs to the host: this can be done to other domains only");
    }
    const names = domains.map(({ name }) => name);
    throw new RangeError(`there is no domain ${reference}: ${suggest(String(reference), names)}`);
  }

  /** The number of the domain meant, domain 0 included. */
  domainId(reference: DomainReference): DomainId {
    if (reference === 0 || reference === "0" || reference === "Domain-0") return DOM0;
    return this.domain(reference).id;
  }

  /** Asks a domain's kernel to switch itself off; {@link Host.run} lets it. */
  shutdown(reference: DomainReference): void {
    this.#control(reference, "poweroff");
  }

  /** Asks a domain's kernel to start again. */
  reboot(reference: DomainReference): void {
    this.#control(reference, "reboot");
  }

  /** Sends a key of Linux's magic SysRq to a domain's kernel. */
  sysrq(reference: DomainReference, letter: string): void {
    if (!/^[a-z0-9]$/i.test(letter)) throw new SyntaxError(`expected one letter, found ${letter}`);
    this.write(this.domain(reference), "control/sysrq", letter);
  }

  #control(reference: DomainReference, command: string): void {
    this.write(this.domain(reference), "control/shutdown", command);
  }

  /** Throws `RangeError` if another domain has that name. */
  rename(reference: DomainReference, name: string): void {
    const domain = this.domain(reference);
    if (domain.name !== name) this.expectNameFree(name);
    this.host.inputs.feed({ kind: "rename", domain: domain.id, name });
    this.write(domain, "name", name);
  }

  /** Tells a domain how much memory to have: its balloon does the rest while it runs. */
  memSet(reference: DomainReference, size: string): void {
    const domain = this.domain(reference);
    const pages = this.#pages(size);
    const most = this.#maxmemPages(domain);
    if (pages > most) {
      throw new RangeError(
        `${domain.name} may have ${
          most / PAGES_PER_MIB
        } MiB at most (mem-max changes that), found ${size}`,
      );
    }
    this.host.inputs.feed({ kind: "maxPages", domain: domain.id, pages });
    this.write(domain, "memory/target", String(pages * PAGE_BYTES / 1024));
  }

  /** Changes how much memory a domain may have at most. */
  memMax(reference: DomainReference, size: string): void {
    const domain = this.domain(reference);
    const pages = this.#pages(size);
    if (pages < domain.domain.pages) {
      throw new RangeError(
        `${domain.name} has ${domain.domain.pages / PAGES_PER_MIB} MiB already, found ${size}`,
      );
    }
    this.host.inputs.feed({ kind: "maxPages", domain: domain.id, pages });
    this.write(domain, "memory/static-max", String(pages * PAGE_BYTES / 1024));
  }

  /** Tells a domain's kernel to use the first `count` of its virtual CPUs. */
  vcpuSet(reference: DomainReference, count: number): void {
    const domain = this.domain(reference);
    const { length } = domain.domain.vcpus;
    if (!Number.isSafeInteger(count) || count < 1 || count > length) {
      throw new RangeError(`${domain.name} can have 1 to ${length} virtual CPUs, found ${count}`);
    }
    for (let id = 0; id < length; id++) {
      this.write(domain, `cpu/${id}/availability`, id < count ? "online" : "offline");
    }
  }

  /** Where a virtual CPU (or all of them) may run; `cpus` as in `0-3,^1`. */
  vcpuPin(reference: DomainReference, vcpu: number | "all", cpus: string, soft?: string): void {
    const { dispatcher } = this.host;
    const id = this.domainId(reference);
    const chosen = dispatcher.vcpus.filter((each) =>
      each.domain === id && (vcpu === "all" || each.id === vcpu)
    );
    if (chosen.length === 0) throw new RangeError(`${reference} has no virtual CPU ${vcpu}`);
    const among = (list: string) => parseCpuList(list, dispatcher.cpus.length);
    for (const each of chosen) {
      const softly = soft === undefined || soft === "-" ? undefined : [...among(soft)];
      const hard = [...(cpus === "-" ? each.hardAffinity : among(cpus))];
      this.host.inputs.feed({ kind: "affinity", domain: id, vcpu: each.id, hard, soft: softly });
    }
  }

  /** The parameters of a domain in its cpupool's scheduler; changes some of them first. */
  schedule(reference: DomainReference, change: Readonly<Record<string, number>> = {}) {
    const id = this.domainId(reference);
    if (Object.keys(change).length > 0) {
      this.host.inputs.feed({ kind: "schedule", domain: id, parameters: change });
    }
    const { policy } = this.host.dispatcher.pools.of(id);
    return policy.domainParameters(id);
  }

  networkAttach(reference: DomainReference, card: string): number {
    const domain = this.domain(reference);
    const used = this.host.zero.cardsOf(domain.id).map(({ number }) => number);
    let index = 0;
    while (used.includes(index)) index++;
    this.host.plugVif(domain, index, vifConfig(parseVif(card)));
    return index;
  }

  /** Asks the guest to let a card go, which is named by its number or its MAC address. */
  networkDetach(reference: DomainReference, card: string): void {
    const domain = this.domain(reference);
    const { path } = this.#card(domain, card);
    this.host.inputs.feed({ kind: "unplug", domain: domain.id, path });
  }

  /** Writes what passes a card to a pcap file from now on, as long as the card is there; `null` ends that. */
  networkCapture(reference: DomainReference, card: string, path: string | null): void {
    const { port } = this.#card(this.domain(reference), card);
    port.tap = path === null ? null : pcapFile(path);
  }

  #card(domain: HostDomain, card: string): PluggedCard {
    const cards = this.host.zero.cardsOf(domain.id);
    const mac = card.includes(":") ? parseMac(card) : null;
    const found = cards.find((each) => String(each.number) === card || (mac && each.mac === mac));
    if (!found) throw new RangeError(`${domain.name} has no network card ${card}`);
    return found;
  }

  /** `nmi`: to one of a domain's virtual CPUs. Paravirtual domains know no other trigger. */
  trigger(reference: DomainReference, what: string, vcpu = 0): void {
    const { domain } = this.domain(reference);
    if (what !== "nmi") throw new RangeError(`a paravirtual domain takes nmi, found ${what}`);
    const target = domain.vcpus[vcpu];
    if (!target) throw new RangeError(`${domain.name} has no virtual CPU ${vcpu}`);
    this.host.inputs.feed({ kind: "nmi", domain: domain.id, vcpu: target.id });
  }

  /** Where a virtual CPU may run, as text. */
  affinity(cpus: Parameters<typeof formatCpuList>[0]): string {
    return formatCpuList(cpus, this.host.dispatcher.cpus.length);
  }

  /** Lets simulated time pass. */
  run(options: HostRunOptions): Promise<StopReason> {
    return this.host.run(options);
  }

  /** Used by the toolstack: a node of a domain's home in XenStore. */
  protected write({ id }: HostDomain, node: string, value: string): void {
    this.host.inputs.feed({ kind: "store", path: `/local/domain/${id}/${node}`, value });
  }

  protected expectNameFree(name: string): void {
    if (name === "Domain-0" || this.host.domains.some((each) => each.name === name)) {
      throw new RangeError(`there is a domain ${name} already`);
    }
  }

  #maxmemPages({ id }: HostDomain): number {
    const kib = this.host.zero.tools.readText(`/local/domain/${id}/memory/static-max`);
    return Number(kib) * 1024 / PAGE_BYTES;
  }

  /** Sizes are in MiB unless they have a unit, as xl has it. */
  #pages(size: string): number {
    const bytes = parseSize(
      /^\d+$/.test(size)
        ? `${size}MiB`
        : size.replace(/([kmgt])$/i, (unit) =>
          unit.toUpperCase() === "T" ? "TiB" : unit.toUpperCase()),
    );
    return Math.ceil(bytes / PAGE_BYTES);
  }
}

/** A network card as a host takes it. */
export function vifConfig({ mac, bridge, rate, backend }: VifSpec): VifConfig {
  return {
    mac,
    bridge,
    backend,
    rate: rate === undefined ? undefined : parseVifRate(rate) as VifChoice["rate"],
  };
}
