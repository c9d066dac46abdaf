/** A paravirtual guest is the same on every engine: results, cycles, bills and the trace hash. */

import { assertEquals } from "@std/assert";
import type { EngineName } from "../../../core/x86/engine.ts";
import { Host } from "../../../testbed/host/host.ts";
import { AbiGuest, SCRATCH } from "./abi_guest.ts";

const ENGINES: readonly EngineName[] = ["reference", "cold", "hot"];
const ROUNDS = 40;

/** Hypercalls, traps, and loops that are worth translating. */
async function session(engine: EngineName) {
  const host = await Host.boot({ memory: "32MiB", profile: "xeon-2003", engine });
  const guest = await AbiGuest.join(host);
  const results: (bigint | number)[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    results.push(
      await guest.call("xen_version", 0),
      await guest.call("update_va_mapping", SCRATCH + 0x1000, 0, 2),
    );
    if (round % 10 > 0) continue;
    results.push(await guest.run("mov ecx, 3000\nagain: add rax, rcx\ndec ecx\njnz again\nret"));
    results.push(await guest.run("mov ecx, 200\nagain: mov rax, cr0\ndec ecx\njnz again\nret"));
    await guest.run("mov rax, [0x70000000]\nret", { 14: 0 });
  }
  const { clock, trace } = host.hardware;
  const bills = host.ledger.entries(guest.domain.id);
  return { results, traps: guest.trapsTaken, now: clock.now, hash: trace.hash, bills };
}

Deno.test("a paravirtual guest is the same on the reference, the cold and the hot engine", async () => {
  const [reference, ...others] = await Promise.all(ENGINES.map(session));
  for (const other of others) assertEquals(other, reference);
});
