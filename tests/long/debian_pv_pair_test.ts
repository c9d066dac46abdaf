/** Two Debian domains on one bridge: packets, a stream, and devices that come and go while they run. */

import { assert, assertEquals } from "@std/assert";
import { DiskImage, zeroBase } from "../../devices/disk/mod.ts";
import { parseMac } from "../../devices/net/mod.ts";
import { Host } from "../../testbed/host/host.ts";
import { expectPrompt, pvGuest, shell } from "../guests/pv_session.ts";

const SCRIPTS = {
  "up.sh": `ip link set eth0 up; ip addr add 10.0.0.$1/24 dev eth0`,
  "disks.sh": `sleep 1; grep -o 'xvd.*' /proc/partitions; ls /sys/class/net; true`,
};
const VBD = "/local/domain/0/backend/vbd/1/51728";

Deno.test("two Debian domains ping each other, stream 2 MiB over the bridge, and get and lose devices as they run", async () => {
  const guest = await pvGuest(SCRIPTS);
  if (!guest) return;
  const host = await Host.boot({ memory: "512MiB", profile: "xeon-2003" });
  const domain = (name: string) =>
    host.create({
      name,
      kernel: guest.vmlinux,
      ramdisk: guest.initrd,
      memory: "96MiB",
      extra: "console=hvc0 quiet",
      vif: [{}],
    });
  const [first, second] = [await domain("first"), await domain("second")];
  for (const each of [first, second]) {
    await expectPrompt(host, each);
    await shell(host, each, `sh up.sh ${each.id}`);
  }
  const ping = await shell(host, first, "ping -c 3 10.0.0.2");
  assert(
    ping.includes("3 packets transmitted, 3 packets received, 0% packet loss"),
    ping.join("\n"),
  );
  await shell(host, second, "nc -l -p 9 | wc -c > /count &");
  await shell(host, first, "dd if=/dev/zero bs=64k count=32 | nc 10.0.0.2 9");
  assertEquals((await shell(host, second, "sleep 1; cat /count"))[0], "2097152");

  host.zero.plugDisk(first.id, { vdev: "xvdb", image: new DiskImage(zeroBase(1 << 20)) });
  host.zero.plugVif(first.id, 1, { mac: parseMac("00:16:3e:00:00:77") });
  assertEquals((await shell(host, first, "sh disks.sh")).join(" "), "xvdb eth0  eth1  lo");
  host.zero.askToUnplug(first.id, VBD);
  assertEquals((await shell(host, first, "sh disks.sh")).join(" "), "eth0  eth1  lo");
  assertEquals([...host.zero.store.list(VBD)], []);
  const paid = host.hypervisor.ports.ledger.entries(host.zero.vcpu.domain);
  assert(paid.some(({ cost, count }) => cost === "copiedBytes" && count > 4 << 20));
});
