/**
 * Debian's unmodified kernel as a paravirtual domain: its own network and block front ends against our
 * back ends, an outside network that this script makes up, plugging and unplugging, power-off.
 */

import { assert, assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { DiskImage, memoryBase, zeroBase } from "../../devices/disk/mod.ts";
import { parseIpv4, parseMac } from "../../devices/net/mod.ts";
import { UserNetwork } from "../../devices/usernet/mod.ts";
import { Host } from "../../testbed/host/host.ts";
import { makeFileSystem } from "./debian_session.ts";
import { Toolstack } from "../../testbed/toolstack/mod.ts";
import { tshark } from "./tshark.ts";
import { expectPrompt, pvGuest, shell } from "./pv_session.ts";

const END_CYCLES = 20e9 as Cycles;
const GATEWAY = parseIpv4("10.0.0.1");
const CLIENT = parseIpv4("198.51.100.7");
const PAGE = "HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n" + "x".repeat(100_000);

/** What the shell runs; files of the initramfs, so that the console has only short lines to echo. */
const SCRIPTS: Readonly<Record<string, string>> = {
  "net.sh": `ip link set eth0 up; udhcpc -i eth0 -n -q -s ./lease.sh`,
  "lease.sh": `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
ip route add default via $router
echo "nameserver $dns" > /etc/resolv.conf`,
  "www.sh": `ping -c 2 www.example.org; wget -q -O page http://www.example.org/; wc -c page`,
  "serve.sh": `echo served > file; httpd -h /root; sleep 1`,
  "disk.sh":
    `mount -t ext4 /dev/xvda /mnt && echo 'kept over a mount' > /mnt/file && sync && umount /mnt &&
mount -t ext4 -o ro /dev/xvda /mnt && cat /mnt/file && umount /mnt`,
};

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function bootedHost() {
  const guest = await pvGuest(SCRIPTS);
  if (!guest) return null;
  const image = await makeFileSystem("ext4");
  const host = await Host.boot({ memory: "512MiB" });
  const disk = image && new DiskImage(memoryBase(image));
  const domain = await host.create({
    name: "web1",
    kernel: guest.vmlinux,
    ramdisk: guest.initrd,
    memory: "128MiB",
    extra: "console=hvc0 quiet",
    disk: disk ? [{ vdev: "xvda", image: disk }] : [],
    vif: [{ bridge: "br0" }],
  });
  return { host, domain, disk };
}

/** A gateway with a web server behind it on `br0`. */
function outsideOf(host: Host): UserNetwork {
  const outside = new UserNetwork({
    clock: host.hardware.clock,
    name: "outside",
    port: host.zero.bridge("br0").attach("outside"),
    mac: parseMac("00:16:3e:ff:00:01"),
    address: GATEWAY,
    dhcp: { first: parseIpv4("10.0.0.10"), count: 10, netmask: parseIpv4("255.255.255.0") },
  });
  const address = outside.addHost("www.example.org", "192.0.2.80");
  outside.listen({ address, port: 80 }, {
    name: "www",
    data(stream) {
      stream.write(bytesOf(PAGE));
      stream.close();
    },
  });
  return outside;
}

/** Wireshark's parser finds nothing wrong with a capture, and all the conversations of the test in it. */
async function expectWellFormed(capture: string): Promise<void> {
  const faults = "_ws.malformed or ip.checksum.status == 0 or tcp.analysis.lost_segment";
  const wrong = await tshark(capture, ["-o", "ip.check_checksum:TRUE", "-Y", faults]);
  if (wrong === null) return;
  assertEquals(wrong, []);
  for (const protocol of ["dhcp", "arp", "dns", "icmp", "http"]) {
    assert((await tshark(capture, ["-Y", protocol]))!.length > 0, protocol);
  }
}

Deno.test("Debian amd64 as a paravirtual domain: DHCP, names, ping, TCP both ways, ext4, unplugging, power-off", async () => {
  const booted = await bootedHost();
  if (!booted) return;
  const { host, domain, disk } = booted;
  const outside = outsideOf(host);
  const capture = await Deno.makeTempFile({ suffix: ".pcap" });
  Toolstack.of(host).networkCapture(domain, "0", capture);
  await expectPrompt(host, domain);

  const lease = await shell(host, domain, "sh net.sh");
  assert(
    lease.some((line) => line.includes("lease of 10.0.0.10 obtained from 10.0.0.1")),
    lease.join("\n"),
  );
  const www = await shell(host, domain, "sh www.sh");
  assert(www.includes("2 packets transmitted, 2 packets received, 0% packet loss"), www.join("\n"));
  assertEquals(www.at(-1), "100000 page");

  await shell(host, domain, "sh serve.sh");
  const heard: string[] = [];
  const stream = outside.connect(CLIENT, { address: parseIpv4("10.0.0.10"), port: 80 }, {
    name: "client",
    data: (_stream, bytes) => void heard.push(new TextDecoder().decode(bytes)),
  });
  stream.write(bytesOf("GET /file HTTP/1.0\r\n\r\n"));
  await host.run({ forCycles: 1e9 as Cycles });
  assert(heard.join("").endsWith("served\n"), heard.join(""));

  if (disk) {
    assertEquals((await shell(host, domain, "sh disk.sh")).at(-1), "kept over a mount");
    assert(disk.overlayBytes > 0);
  }
  host.zero.askToUnplug(domain.id, "/local/domain/0/backend/vif/1/0");
  await host.run({ forCycles: 1e9 as Cycles });
  assertEquals(await shell(host, domain, "ls /sys/class/net"), ["lo"]);
  await expectWellFormed(capture);

  domain.console.send("poweroff -f\n");
  await host.run({ forCycles: END_CYCLES });
  assertEquals(domain.domain.shutdown, "poweroff");
});

Deno.test("Debian's front ends close when their driver domain goes, and those of another one serve it", async () => {
  const guest = await pvGuest({
    "look.sh": `ls /sys/bus/xen/devices`,
    "net.sh": `ip link set eth0 up; ip addr add 10.0.0.2/24 dev eth0; ping -c 2 10.0.0.1; true`,
    "disk.sh": `dd if=/dev/xvda bs=64k count=4 2>/dev/null | wc -c`,
  });
  if (!guest) return;
  const host = await Host.boot({ memory: "512MiB", profile: "xeon-2003" });
  const drivers = { kernel: "drivers", memory: "8MiB" };
  let driver = await host.create({ name: "first", ...drivers });
  await host.create({
    name: "echo",
    kernel: "tiny",
    memory: "4MiB",
    extra: "ip 10.0.0.1",
    vif: [{}],
  });
  const disk = () => ({
    vdev: "xvda",
    image: new DiskImage(zeroBase(1 << 20)),
    backend: driver.id,
  });
  const domain = await host.create({
    name: "web1",
    kernel: guest.vmlinux,
    ramdisk: guest.initrd,
    memory: "128MiB",
    extra: "console=hvc0 quiet",
    disk: [disk()],
    vif: [{ backend: driver.id }],
  });
  await expectPrompt(host, domain);
  const works = async () => {
    const [net, read] = [
      await shell(host, domain, "sh net.sh"),
      await shell(host, domain, "sh disk.sh"),
    ];
    assert(net.some((line) => line.includes("2 packets received")), net.join("\n"));
    assertEquals(read, ["262144"]);
    assert(host.dispatcher.domainCycles(driver.id) > 0);
  };
  await works();
  const free = host.hypervisor.frames.freeFrames;
  host.destroy(driver);
  await host.run({ forCycles: 1e9 as Cycles });
  assertEquals(await shell(host, domain, "sh look.sh"), []);
  assertEquals([...host.zero.store.list(`/local/domain/${driver.id}`)], []);
  driver = await host.create({ name: "second", ...drivers });
  assertEquals(host.hypervisor.frames.freeFrames, free);
  host.plugDisk(domain, disk());
  host.plugVif(domain, 0, { backend: driver.id });
  await host.run({ forCycles: 1e9 as Cycles });
  await works();
});
