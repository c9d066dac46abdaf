/** Log-dirty mode under a guest that stores: the bits against what really changed. */

import { assert, assertEquals } from "@std/assert";
import { ERRNO } from "../../../core/abi/errno.ts";
import type { EngineName } from "../../../core/x86/engine.ts";
import { Host } from "../../../testbed/host/host.ts";
import { AbiGuest, SCRATCH, VIRT_BASE } from "./abi_guest.ts";

const PAGE_BYTES = 4096;
/** The guest's 8 MiB. */
const PAGES = 2048;
const FIRST = SCRATCH + 0x1000;

async function logged(engine: EngineName) {
  const host = await Host.boot({ memory: "32MiB", engine });
  const guest = await AbiGuest.join(host);
  const { logDirty, memory } = host.hypervisor;
  const { id } = guest.domain;
  /** Every frame of the guest, by pseudo-physical number. */
  const contents = () =>
    Array.from({ length: PAGES }, (_, pfn) => {
      const bytes = new Uint8Array(PAGE_BYTES);
      memory.readBytes(guest.frameOf(pfn), 0, bytes);
      return bytes;
    });
  const dirty = () => {
    const bits = logDirty.clean(id, PAGES) as Uint8Array;
    return Array.from({ length: PAGES }, (_, pfn) => pfn).filter((pfn) =>
      (bits[pfn >> 3] >> (pfn & 7) & 1) !== 0
    );
  };
  return { guest, logDirty, id, contents, dirty };
}

/** Stores to `count` pages behind one another, from page `first` of the scratch pages on. */
const stores = (first: number, count: number) => `
        mov edi, ${FIRST + first * PAGE_BYTES}
        mov ecx, ${count}
next:   inc qword [rdi + rcx * 8]
        add edi, ${PAGE_BYTES}
        dec ecx
        jnz next
        ret`;

for (const engine of ["reference", "cold", "hot"] as const) {
  Deno.test(`on the ${engine} engine every page that changed is dirty, once, and hardly any other`, async () => {
    const { guest, logDirty, id, contents, dirty } = await logged(engine);
    assertEquals(logDirty.enable(id), 0);
    for (const [first, count] of [[0, 4], [2, 1], [0, 1]]) {
      const before = contents();
      await guest.run(stores(first, count));
      const after = contents();
      const changed = after.flatMap((bytes, pfn) =>
        bytes.every((byte, i) => byte === before[pfn][i]) ? [] : [pfn]
      );
      const found = dirty();
      const pfn = (FIRST - VIRT_BASE) / PAGE_BYTES + first;
      for (let i = 0; i < count; i++) assert(found.includes(pfn + i), `${pfn + i} of ${found}`);
      for (const each of changed) assert(found.includes(each), `${each} of ${found}`);
      // Besides: what the test itself writes for the guest, and the guest's stack.
      assert(found.length <= changed.length + 6, String(found));
    }
    assertEquals(logDirty.stats(id)?.cleans, 3);
  });
}

Deno.test("peeking changes nothing; what is off says so; off and on begins anew", async () => {
  const { guest, logDirty, id, dirty } = await logged("hot");
  assertEquals([logDirty.peek(id, PAGES), logDirty.clean(id, PAGES), logDirty.off(id)], [
    ERRNO.EINVAL,
    ERRNO.EINVAL,
    ERRNO.EINVAL,
  ]);
  assertEquals([logDirty.enable(id), logDirty.enable(id)], [0, ERRNO.EINVAL]);
  await guest.run(stores(0, 3));
  assertEquals(logDirty.peek(id, PAGES), logDirty.peek(id, PAGES));
  const seen = dirty();
  assert(seen.length >= 3);
  assertEquals(dirty(), []);
  assertEquals([logDirty.off(id), logDirty.stats(id)], [0, null]);
  await guest.run(stores(0, 3));
  assertEquals(logDirty.enable(id), 0);
  assertEquals(dirty(), []);
});

Deno.test("a frame that is new to a domain is dirty", async () => {
  const { guest, logDirty, id } = await logged("cold");
  const { hypervisor } = guest.host;
  logDirty.enable(id);
  guest.domain.domain.maxPages++;
  const frame = hypervisor.reservations.populate(guest.domain.domain);
  hypervisor.map.setPfn(frame, PAGES);
  const bits = logDirty.peek(id, PAGES + 1) as Uint8Array;
  assertEquals(bits[PAGES >> 3] & 1, 1);
});

Deno.test("a guest pays for its first store to each logged page; what others store there costs it nothing", async () => {
  const host = await Host.boot({ memory: "32MiB", profile: "xeon-2003" });
  const guest = await AbiGuest.join(host);
  const { logDirty } = host.hypervisor;
  const { id } = guest.domain;
  const bill = () => {
    const entry = host.ledger.entries(id).find(({ cost }) => cost === "dirtyFault");
    return { count: entry?.count ?? 0, cycles: entry?.cycles ?? 0 };
  };
  await guest.run(stores(0, 1));
  assertEquals(bill(), { count: 0, cycles: 0 });
  logDirty.enable(id);
  // Its own stack and what else it needs for a call.
  await guest.run(stores(0, 1));
  const { count } = bill();
  await guest.run(stores(0, 1));
  assertEquals(bill().count, count);
  await guest.run(stores(1, 2));
  // 2328 cycles at 2.4 GHz are 970 of this host's.
  assertEquals(bill(), { count: count + 2, cycles: 970 * (count + 2) });
  logDirty.clean(id, PAGES);
  guest.poke64(FIRST + PAGE_BYTES, 1n);
  await guest.run(stores(2, 1));
  const again = bill().count;
  await guest.run(stores(1, 1));
  assertEquals(bill().count, again);
  assertEquals(logDirty.stats(id)?.faultCount, again);
});
