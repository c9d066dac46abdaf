/**
 * The hypervisor's state as a record: frame table, domains, virtual CPUs, channels and grants.
 *
 * A record is restored into a hypervisor that has the same domains, whoever made them: {@link Domain.shape} says what they
 * are made of. Memory, clock, trace, dispatcher (and with it the registers of virtual CPUs) and bills have records of their
 * own; memory must have been restored before.
 */

import type { DomainId, MachineFrame } from "../abi/ids.ts";
import type { ShutdownReason } from "../abi/operations.ts";
import {
  expectRecord,
  SnapshotError,
  type SnapshotRecord,
  type SnapshotValue,
} from "../lib/snapshot.ts";
import type { Domain } from "./domain.ts";
import type { FramePlace } from "./event_channels/mod.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Callback, CallbackName, TrapHandler, Vcpu } from "./vcpu.ts";

type Fields = { readonly [field: string]: SnapshotValue };

/** What a virtual CPU's kernel told the hypervisor; timers are the clock's. */
interface SavedVcpu {
  readonly initialised: boolean;
  readonly up: boolean;
  readonly traps: readonly TrapHandler[];
  readonly callbacks: Readonly<Record<CallbackName, Callback>>;
  readonly kernelStack: number;
  readonly kernelStackSelector: number;
  readonly kernelMode: boolean;
  readonly root: MachineFrame | null;
  readonly userRoot: MachineFrame | null;
  readonly gdtFrames: readonly MachineFrame[];
  readonly ldt: { readonly address: number; readonly entries: number };
  readonly nmiPending: boolean;
  readonly nmiActive: boolean;
  readonly taskSwitched: boolean;
  readonly cr2: number;
  readonly cr4: number;
  readonly iopl: number;
  readonly info: FramePlace | null;
  readonly runstateArea: number | null;
  readonly periodNs: number;
  readonly polling: boolean;
}

interface SavedDomain {
  readonly id: DomainId;
  readonly name: string;
  readonly pages: number;
  readonly maxPages: number;
  readonly vmAssist: bigint;
  readonly shutdown: ShutdownReason | null;
  readonly shutdownCode: ShutdownReason | null;
  readonly crashMessage: string | null;
  readonly pauses: number;
  readonly missing: readonly (readonly [number: number, count: number])[];
  readonly vcpus: readonly SavedVcpu[];
}

function saveVcpu(vcpu: Vcpu): SavedVcpu {
  return {
    initialised: vcpu.initialised,
    up: vcpu.up,
    traps: vcpu.traps.map((handler) => ({ ...handler })),
    callbacks: structureOf(vcpu.callbacks),
    kernelStack: vcpu.kernelStack,
    kernelStackSelector: vcpu.kernelStackSelector,
    kernelMode: vcpu.kernelMode,
    root: vcpu.root,
    userRoot: vcpu.userRoot,
    gdtFrames: [...vcpu.gdtFrames],
    ldt: { ...vcpu.ldt },
    nmiPending: vcpu.nmiPending,
    nmiActive: vcpu.nmiActive,
    taskSwitched: vcpu.taskSwitched,
    cr2: vcpu.cr2,
    cr4: vcpu.cr4,
    iopl: vcpu.iopl,
    info: vcpu.info && { ...vcpu.info },
    runstateArea: vcpu.runstateArea,
    periodNs: vcpu.periodNs,
    polling: vcpu.polling,
  };
}

function structureOf(callbacks: Readonly<Record<CallbackName, Callback>>) {
  const copies = Object.entries(callbacks).map(([name, callback]) => [name, { ...callback }]);
  return Object.fromEntries(copies) as Record<CallbackName, Callback>;
}

function restoreVcpu(vcpu: Vcpu, saved: SavedVcpu): void {
  const { traps, callbacks, gdtFrames, ldt, ...plain } = saved;
  Object.assign(vcpu, plain);
  vcpu.traps.splice(0, vcpu.traps.length, ...traps);
  Object.assign(vcpu.callbacks, callbacks);
  vcpu.gdtFrames = [...gdtFrames];
  vcpu.ldt = { ...ldt };
}

function saveDomain(domain: Domain): SavedDomain {
  return {
    id: domain.id,
    name: domain.name,
    pages: domain.pages,
    maxPages: domain.maxPages,
    vmAssist: domain.vmAssist,
    shutdown: domain.shutdown,
    shutdownCode: domain.shutdownCode,
    crashMessage: domain.crashMessage,
    pauses: domain.pauses,
    missing: [...domain.missing],
    vcpus: domain.vcpus.map(saveVcpu),
  };
}

function restoreDomain(domain: Domain, saved: SavedDomain): void {
  const { name, pages, maxPages, vmAssist, shutdown, shutdownCode, crashMessage, pauses } = saved;
  const plain = { name, pages, maxPages, vmAssist, shutdown, shutdownCode, crashMessage, pauses };
  Object.assign(domain, plain);
  domain.missing.clear();
  for (const [number, count] of saved.missing) domain.missing.set(number, count);
  domain.vcpus.forEach((vcpu, i) => restoreVcpu(vcpu, saved.vcpus[i]));
}

/** The state of a hypervisor; see the module comment. */
export function saveHypervisor(hypervisor: Hypervisor): SnapshotRecord {
  const { frames, events, grants, domains } = hypervisor;
  return {
    kind: "hypervisor",
    version: 2,
    state: {
      nextId: hypervisor.nextId,
      map: { ...hypervisor.map.save() },
      logDirty: { ...hypervisor.logDirty.save() },
      domains: [...domains.values()].map(saveDomain) as unknown as SnapshotValue,
      frames: { ...frames.save() },
      events: { ...events.save() },
      grants: { ...grants.save() },
      checkedEntries: hypervisor.types.checked,
    },
  };
}

/** Restores what {@link saveHypervisor} saved. Throws {@link SnapshotError} if the domains are not the same. */
export function restoreHypervisor(hypervisor: Hypervisor, record: SnapshotRecord): void {
  const state = expectRecord(record, "hypervisor", 2);
  const saved = state.domains as unknown as readonly SavedDomain[];
  const domains = saved.flatMap(({ id }) => hypervisor.domains.get(id) ?? []);
  if (domains.length !== saved.length || domains.length !== hypervisor.domains.size) {
    const names = (list: Iterable<{ readonly id: number; readonly name: string }>) =>
      Array.from(list, ({ id, name }) => `${id} ${name}`).join(", ") || "none";
    throw new SnapshotError(
      `the snapshot is of the domains ${names(saved)}; here are ${
        names(hypervisor.domains.values())
      }`,
    );
  }
  // Their order is that of their creation.
  hypervisor.domains.clear();
  for (const domain of domains) hypervisor.domains.set(domain.id, domain);
  hypervisor.nextId = state.nextId as number;
  const part = (name: string) => (state as Fields)[name] as unknown as SnapshotRecord;
  hypervisor.frames.restore(part("frames"));
  hypervisor.events.restore(part("events"));
  hypervisor.grants.restore(part("grants"));
  domains.forEach((domain, i) => restoreDomain(domain, saved[i]));
  hypervisor.types.checked = state.checkedEntries as number;
  hypervisor.map.restore(part("map"));
  hypervisor.logDirty.restore(part("logDirty"));
  hypervisor.flushes.all();
}
