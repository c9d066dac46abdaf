/** The state of a host as a record; RAM lies beside it or in it. */

import { expectRecord, SnapshotError, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import { type RamSource, ramWithin } from "../snapshot/page_store.ts";
import type { Host } from "./host.ts";

/** All parts of a host that stands still but RAM, which holds everything afterwards: registers of virtual CPUs are put away. */
export function saveHost(host: Host): SnapshotRecord {
  const { clock, trace } = host.hardware;
  const dispatcher = { ...host.dispatcher.save() };
  return {
    kind: "host",
    version: 1,
    state: {
      dispatcher,
      clock: { ...clock.save() },
      trace: { ...trace.save() },
      ledger: { ...host.ledger.save() },
      hypervisor: { ...host.hypervisor.save() },
      zero: { ...host.zero.save() },
      modelled: { ...host.modelled.save() },
    },
  };
}

/** Restores what {@link saveHost} saved; see `Host.restore`. */
export function restoreHost(host: Host, record: SnapshotRecord, ram?: RamSource): void {
  const state = expectRecord(record, "host", 1);
  const part = (name: string) => state[name] as unknown as SnapshotRecord;
  const { clock, trace, memory } = host.hardware;
  const source = ram ?? ramWithin(state.ram as Uint8Array);
  const { ramBytes } = memory.plan;
  if (source.sizeBytes !== ramBytes) {
    throw new SnapshotError(
      `the snapshot is of a host with ${source.sizeBytes} bytes of RAM; this one has ${ramBytes}`,
    );
  }
  host.hypervisor.restore(part("hypervisor"));
  clock.restore(part("clock"));
  // A CPU of a modelled kernel finds its processes there.
  host.modelled.restore(part("modelled"));
  host.dispatcher.restore(part("dispatcher"));
  trace.restore(part("trace"));
  host.ledger.restore(part("ledger"));
  host.zero.restore(part("zero"));
  source.writeTo(memory);
}
