/** How a domain's end and its interrupts are asked for by hypercalls, from guests of either data model. */

import { assertEquals } from "@std/assert";
import { ERRNO } from "../../../core/abi/errno.ts";
import {
  callback_register,
  CALLBACKOP,
  CALLBACKTYPE,
  SCHEDOP,
  SHUTDOWN,
  VCPUOP,
} from "../../../core/abi/operations.ts";
import { vcpu_time_info } from "../../../core/abi/xen.ts";
import type { Cycles } from "../../../core/clock/clock.ts";
import { AbiGuest, DATA_MODELS, longs, SCRATCH, words64 } from "./abi_guest.ts";

const SECOND = 1_000_000_000 as Cycles;

function forEither(claim: string, check: (guest: AbiGuest) => Promise<void>): void {
  for (const model of DATA_MODELS) {
    const width = model === "lp64" ? 64 : 32;
    Deno.test(`${claim} (${width}-bit)`, async () => await check(await AbiGuest.start({ model })));
  }
}

forEither("a watchdog that is not set anew shuts its domain down", async (guest) => {
  const { host, domain: { domain } } = guest;
  guest.poke(SCRATCH, words64(3n << 32n)(guest.model));
  assertEquals(await guest.call("sched_op", SCHEDOP.watchdog, SCRATCH), 1);
  host.hypervisor.pause(domain);
  await host.run({ forCycles: 2 * SECOND as Cycles });
  assertEquals(domain.shutdown, null);
  await host.run({ forCycles: 2 * SECOND as Cycles });
  assertEquals(domain.shutdown, "watchdog");
});

forEither("a reason that was given beforehand is that of any later end", async (guest) => {
  const { domain } = guest.domain;
  guest.poke(SCRATCH, words64(BigInt(SHUTDOWN.crash))(guest.model));
  assertEquals(await guest.call("sched_op", SCHEDOP.shutdown_code, SCRATCH), 0);
  await guest.calls([["sched_op_compat", SCHEDOP.shutdown, SHUTDOWN.reboot]], { mayEnd: true });
  assertEquals(domain.shutdown, "crash");
});

forEither(
  "a callback for NMIs is the handler of vector 2, until it is taken back",
  async (guest) => {
    const address = guest.labels.handler;
    guest.poke(
      SCRATCH,
      callback_register.toBytes({ type: CALLBACKTYPE.nmi, address }, guest.model),
    );
    assertEquals(await guest.call("callback_op", CALLBACKOP.register, SCRATCH), 0);
    const before = guest.trapsTaken;
    await guest.run(
      guest.model === "lp64"
        ? `mov eax, 24\nmov edi, ${VCPUOP.send_nmi}\nxor esi, esi\nxor edx, edx\nsyscall\nret`
        : `mov eax, 24\nmov ebx, ${VCPUOP.send_nmi}\nxor ecx, ecx\nxor edx, edx\nint 0x82\nret`,
    );
    assertEquals(guest.trapsTaken, before + 1);
    const [vcpu] = guest.domain.domain.vcpus;
    guest.poke(SCRATCH, words64(BigInt(CALLBACKTYPE.nmi))(guest.model));
    assertEquals(await guest.call("callback_op", CALLBACKOP.unregister, SCRATCH), 0);
    assertEquals(vcpu.traps[2].address, 0);
  },
);

forEither("a guest's own copy of its time is that of its vcpu_info", async (guest) => {
  guest.poke(SCRATCH, longs(BigInt(SCRATCH + 64))(guest.model));
  const { register_vcpu_time_memory_area } = VCPUOP;
  assertEquals(await guest.call("vcpu_op", register_vcpu_time_memory_area, 0, SCRATCH), 0);
  const size = vcpu_time_info.sizeBytes();
  const copy = vcpu_time_info.read(guest.peek(SCRATCH + 64, size));
  const { hypervisor: { memory } } = guest.host;
  const { info } = guest.domain.domain.vcpus[0];
  const own = new Uint8Array(size);
  memory.readBytes(info!.frame, info!.offset + 32, own);
  assertEquals(copy, vcpu_time_info.read(own));
  assertEquals(copy.version, 2);
});

forEither(
  "vcpu_info cannot move into the shared page, which has places of its own",
  async (guest) => {
    const { sharedInfo } = guest.domain.domain;
    guest.poke(SCRATCH, words64(BigInt(sharedInfo), 8n)(guest.model));
    const { count } = guest.host.hypervisor.frames;
    const before = count[sharedInfo];
    const { register_vcpu_info } = VCPUOP;
    assertEquals(await guest.call("vcpu_op", register_vcpu_info, 0, SCRATCH), ERRNO.EINVAL);
    assertEquals(count[sharedInfo], before);
  },
);
