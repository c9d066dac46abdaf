/**
 * Debian's kernel as a paravirtual domain on one and on four virtual CPUs, ended from inside. Its devices are tried
 * in `tests/guests/debian_pv_test.ts`.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { ShutdownReason } from "../../core/abi/operations.ts";
import { Host } from "../../testbed/host/host.ts";
import { SHELL_PROMPT } from "../../testbed/images/mod.ts";
import { debianGuest } from "../guests/debian_session.ts";

/** What a domain is told to do at the end, and why the hypervisor then says that it shut down. */
interface PvBoot {
  readonly vcpus: number;
  readonly cpus: number;
  readonly end: string;
  readonly reason: ShutdownReason;
}

/** Boots the domain, tries a few commands, ends it, and sees that nothing of it is left. */
async function pvSession({ vcpus, cpus, end, reason }: PvBoot): Promise<void> {
  const guest = await debianGuest("amd64");
  if (!guest) return;
  const host = await Host.boot({ memory: "512MiB", cpus });
  const { console, domain } = await host.create({
    name: "debian",
    kernel: guest.vmlinux,
    ramdisk: guest.initrd,
    memory: "256MiB",
    vcpus,
    extra: "console=hvc0 xenarium.modules=none",
  });
  await console.waitFor(SHELL_PROMPT);
  assertStringIncludes(console.text, "Hypervisor detected: Xen PV");
  const answer = async (command: string) => {
    const from = console.text.length;
    console.send(`${command}\n`);
    await console.waitFor(SHELL_PROMPT);
    return console.text.slice(from).split("\n").slice(1, -1).map((line) => line.trim());
  };
  assertEquals(await answer("nproc; cat /sys/hypervisor/type /sys/hypervisor/uuid"), [
    String(vcpus),
    "xen",
    "00000000-0000-0000-0000-000000000000",
  ]);
  assertEquals(await answer("seq 1 2000 | awk '{ sum += $1 } END { print sum }'"), ["2001000"]);
  console.send(`${end}\n`);
  assertEquals(await host.run(), { kind: "powerOff" });
  assertEquals([domain.shutdown, domain.crashMessage], [reason, null]);
  host.hypervisor.destroyDomain(domain);
  assertEquals([...host.hypervisor.frames.framesOf(domain.id)], []);
}

const BOOTS: readonly PvBoot[] = [
  { vcpus: 1, cpus: 1, end: "poweroff -f", reason: "poweroff" },
  { vcpus: 4, cpus: 2, end: "reboot -f", reason: "reboot" },
];

for (const boot of BOOTS) {
  const { vcpus, cpus, end } = boot;
  Deno.test(`Debian amd64 with ${vcpus} virtual CPU(s) on ${cpus} physical one(s) ends by ${end} and leaves nothing`, async () => {
    await pvSession(boot);
  });
}

Deno.test("Debian amd64 suspends, and wakes on another host where it was", async () => {
  const guest = await debianGuest("amd64");
  if (!guest) return;
  const [here, there] = [
    await Host.boot({ memory: "256MiB" }),
    await Host.boot({ memory: "512MiB" }),
  ];
  const domain = await here.create({
    name: "traveller",
    kernel: guest.vmlinux,
    ramdisk: guest.initrd,
    memory: "128MiB",
    extra: "console=hvc0 xenarium.modules=none",
  });
  await domain.console.waitFor(SHELL_PROMPT);
  domain.console.send("echo kept > /note; dmesg -n 1\n");
  await domain.console.waitFor(SHELL_PROMPT);
  await here.suspend(domain);
  assertEquals(domain.domain.shutdown, "suspend");
  const record = here.save(domain);
  here.destroy(domain);
  const { console } = there.restoreDomain(record);
  console.send("cat /note; dmesg | tail -n 1\n");
  await console.waitFor(SHELL_PROMPT);
  assertStringIncludes(console.text, "\nkept");
  assertStringIncludes(console.text, "Restarting tasks ... done.");
});
