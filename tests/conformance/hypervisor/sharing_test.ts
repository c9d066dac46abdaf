/** What two paravirtual guests share: event channels and grants, by their own hypercalls, from register to page table. */

import { assertEquals } from "@std/assert";
import { errnoName } from "../../../core/abi/errno.ts";
import { EVTCHN_STRUCTS, EVTCHNOP, EVTCHNSTAT } from "../../../core/abi/event_channel.ts";
import {
  GNTCOPY,
  GNTMAP,
  GNTTAB_STRUCTS,
  GNTTABOP,
  grantStatusName,
  GTF,
} from "../../../core/abi/grant_table.ts";
import { DOMID, type MachineFrame } from "../../../core/abi/ids.ts";
import type { Fields, StructLayout, StructValue } from "../../../core/abi/struct_layout.ts";
import { AbiGuest, SCRATCH } from "./abi_guest.ts";

/** Where structures are put, where a list of frames goes, and pages to share. */
const STRUCT = SCRATCH + 0x1000;
const LIST = SCRATCH + 0x1800;
const SHARED = SCRATCH + 0x2000;
const WINDOW = SCRATCH + 0x3000;
const SELF = DOMID.SELF;
const PAGE_FAULT = 14;

type Given<S> = S extends StructLayout<infer F extends Fields> ? Partial<StructValue<F>> : never;

async function call<F extends Fields>(
  guest: AbiGuest,
  layout: StructLayout<F>,
  given: Partial<StructValue<F>>,
  ...args: [name: "event_channel_op" | "grant_table_op", command: number]
): Promise<StructValue<F>> {
  guest.poke(STRUCT, layout.toBytes(given));
  const result = await guest.call(...args, STRUCT, 1);
  if (result !== 0) throw new Error(errnoName(result));
  return layout.read(guest.peek(STRUCT, layout.sizeBytes()));
}

function event<N extends keyof typeof EVTCHN_STRUCTS>(
  guest: AbiGuest,
  name: N,
  given: Given<typeof EVTCHN_STRUCTS[N]>,
) {
  const layout = EVTCHN_STRUCTS[name] as unknown as StructLayout<Fields>;
  return call(guest, layout, given, "event_channel_op", EVTCHNOP[name]);
}

async function grant<N extends keyof typeof GNTTAB_STRUCTS>(
  guest: AbiGuest,
  name: N,
  given: Given<typeof GNTTAB_STRUCTS[N]>,
) {
  const layout = GNTTAB_STRUCTS[name] as unknown as StructLayout<Fields>;
  const value = await call(guest, layout, given, "grant_table_op", GNTTABOP[name]);
  return { ...value, status: grantStatusName(Number(value.status)) } as Record<string, unknown>;
}

/** Two guests on one host; `permit` writes an entry of the first one's table. */
async function pair() {
  const first = await AbiGuest.start();
  const second = await AbiGuest.join(first.host);
  const setup = await grant(first, "setup_table", {
    dom: SELF,
    nr_frames: 1,
    frame_list: BigInt(LIST),
  });
  assertEquals(setup.status, "okay");
  const table = Number(first.peek64(LIST)) as MachineFrame;
  const { memory, frames } = first.host.hypervisor;
  const permit = (ref: number, frame: number, flags: number) => {
    memory.write32(table, 8 * ref + 4, frame);
    memory.write32(table, 8 * ref, flags | second.domain.id << 16);
  };
  const flags = (ref: number) => memory.read32(table, 8 * ref) & 0xffff;
  return { first, second, permit, flags, frames };
}

/** What the guest reads at an address, or the vector of the exception that it gets. */
async function read(guest: AbiGuest, address: number): Promise<bigint> {
  return await guest.run(`mov rax, [${address}]\nret`);
}

Deno.test("an event goes from a port of one guest to the bit of another's, and both ends say what they are", async () => {
  const { first, second } = await pair();
  const dom = first.domain.id;
  const { port } = await event(first, "alloc_unbound", { dom: SELF, remote_dom: second.domain.id });
  const bound = await event(second, "bind_interdomain", {
    remote_dom: dom,
    remote_port: port as number,
  });
  const near = bound.local_port as number;
  const status = await event(first, "status", { dom: SELF, port: port as number });
  assertEquals([status.status, status.detail, status.detail_port], [
    EVTCHNSTAT.interdomain,
    second.domain.id,
    near,
  ]);
  await event(second, "send", { port: near });
  const { memory } = first.host.hypervisor;
  const { sharedInfo } = first.domain.domain;
  assertEquals(memory.read32(sharedInfo, 2048) & (1 << (port as number)), 1 << (port as number));
  await event(second, "close", { port: near });
  const after = await event(first, "status", { dom: SELF, port: port as number });
  assertEquals(after.status, EVTCHNSTAT.unbound);
});

Deno.test("a granted page is read and written through the other's page tables until it is unmapped", async () => {
  const { first, second, permit, flags } = await pair();
  first.poke64(SHARED, 0x1122n);
  permit(9, first.frameAt(SHARED), GTF.permit_access);
  const mapped = await grant(second, "map_grant_ref", {
    host_addr: BigInt(WINDOW),
    flags: GNTMAP.host_map,
    ref: 9,
    dom: first.domain.id,
  });
  assertEquals([mapped.status, mapped.dev_bus_addr], [
    "okay",
    BigInt(first.frameAt(SHARED)) << 12n,
  ]);
  assertEquals(await read(second, WINDOW), 0x1122n);
  await second.run(`mov qword [${WINDOW} + 8], 0x77\nxor eax, eax\nret`);
  assertEquals([first.peek64(SHARED + 8), flags(9)], [
    0x77n,
    GTF.permit_access | GTF.reading | GTF.writing,
  ]);
  const handle = mapped.handle as number;
  const unmapped = await grant(second, "unmap_grant_ref", { host_addr: BigInt(WINDOW), handle });
  assertEquals([unmapped.status, flags(9)], ["okay", GTF.permit_access]);
  await second.run(`mov rax, [${WINDOW}]\nret`, { [PAGE_FAULT]: 0 });
  assertEquals(second.frame(true).error & 1n, 0n);
  const again = await grant(second, "unmap_grant_ref", { host_addr: BigInt(WINDOW), handle });
  assertEquals(again.status, "bad_handle");
  first.host.hypervisor.grants.audit();
});

Deno.test("a page that is granted for reading cannot be written", async () => {
  const { first, second, permit } = await pair();
  permit(9, first.frameAt(SHARED), GTF.permit_access | GTF.readonly);
  const request = { host_addr: BigInt(WINDOW), ref: 9, dom: first.domain.id };
  const writable = await grant(second, "map_grant_ref", { ...request, flags: GNTMAP.host_map });
  assertEquals(writable.status, "general_error");
  const flags = GNTMAP.host_map | GNTMAP.readonly;
  const mapped = await grant(second, "map_grant_ref", { ...request, flags });
  assertEquals(mapped.status, "okay");
  await second.run(`mov qword [${WINDOW}], 1\nret`, { [PAGE_FAULT]: 0 });
  // A write to a page that is present.
  assertEquals(second.frame(true).error & 3n, 3n);
});

Deno.test("a copy goes from a grant to a frame of the caller's, and nothing is mapped", async () => {
  const { first, second, permit, flags } = await pair();
  first.poke64(SHARED + 0x100, 0xabcdn);
  permit(9, first.frameAt(SHARED), GTF.permit_access | GTF.readonly);
  const { status } = await grant(second, "copy", {
    source: { u: 9, domid: first.domain.id, offset: 0x100 },
    dest: { u: second.frameAt(SHARED), domid: SELF, offset: 0x200 },
    len: 8,
    flags: GNTCOPY.source_gref,
  });
  assertEquals([status, second.peek64(SHARED + 0x200), flags(9)], [
    "okay",
    0xabcdn,
    GTF.permit_access | GTF.readonly,
  ]);
});

Deno.test("a transferred frame belongs to whoever accepted it", async () => {
  const { first, second, permit, flags, frames } = await pair();
  const mfn = second.frameAt(SHARED);
  permit(9, 0, GTF.accept_transfer);
  first.domain.domain.maxPages++;
  const request = { mfn, domid: first.domain.id, ref: 9 };
  assertEquals((await grant(second, "transfer", request)).status, "bad_page");
  assertEquals(await second.call("update_va_mapping", SHARED, 0, 2), 0);
  assertEquals((await grant(second, "transfer", request)).status, "okay");
  assertEquals([frames.ownerOf(mfn), flags(9)], [
    first.domain.id,
    GTF.accept_transfer | GTF.transfer_committed | GTF.transfer_completed,
  ]);
});

Deno.test("a guest that is destroyed while another maps its page leaves the page with the other", async () => {
  const { first, second, permit, frames } = await pair();
  const { host } = first;
  first.poke64(SHARED, 0x5566n);
  const mfn = first.frameAt(SHARED);
  permit(9, mfn, GTF.permit_access);
  const request = { host_addr: BigInt(WINDOW), ref: 9, dom: first.domain.id };
  const mapped = await grant(second, "map_grant_ref", { ...request, flags: GNTMAP.host_map });
  host.destroy(first.domain);
  assertEquals(await read(second, WINDOW), 0x5566n);
  const handle = mapped.handle as number;
  await grant(second, "unmap_grant_ref", { host_addr: BigInt(WINDOW), handle });
  const free = frames.freeFrames;
  host.destroy(second.domain);
  assertEquals([frames.freeFrames > free, host.domains.length], [true, 0]);
});
