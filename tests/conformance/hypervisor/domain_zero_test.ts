/** What domain 0 does for a domain, seen from the tools' side. */

import { assertEquals, assertThrows } from "@std/assert";
import { DiskImage, zeroBase } from "../../../devices/disk/mod.ts";
import { parseMac } from "../../../devices/net/mod.ts";
import { Host } from "../../../testbed/host/host.ts";
import { AbiGuest } from "./abi_guest.ts";

const VBD = "/local/domain/0/backend/vbd/1/51712";
const VIF = "/local/domain/0/backend/vif/1/0";

/** A host with a domain that has a disk and a network card, which its kernel does not care for. */
async function furnished() {
  const host = await Host.boot({ memory: "32MiB" });
  const guest = await AbiGuest.join(host);
  const { id } = guest.domain;
  host.zero.plugDisk(id, { vdev: "xvda", image: new DiskImage(zeroBase(1 << 20)) });
  host.zero.plugVif(id, 0, { mac: parseMac("00:16:3e:00:00:01") });
  return { host, id, zero: host.zero };
}

Deno.test("a domain's home and devices are in the store as libxl writes them", async () => {
  const { zero } = await furnished();
  const value = (path: string) => zero.tools.readText(path);
  assertEquals(
    ["name", "domid", "memory/target", "cpu/0/availability"].map((name) =>
      value(`/local/domain/1/${name}`)
    ),
    ["abi", "1", "8192", "online"],
  );
  assertEquals([value(`${VBD}/state`), value(`${VBD}/dev`), value(`${VBD}/mode`)], [
    "2",
    "xvda",
    "w",
  ]);
  assertEquals([value(`${VIF}/state`), value(`${VIF}/mac`)], ["2", "00:16:3e:00:00:01"]);
  assertEquals(value("/local/domain/1/device/vbd/51712/backend"), VBD);
  assertEquals(zero.tools.getPermissions("/local/domain/1/device/vif/0"), [
    { domain: 1, access: "n" },
    { domain: 0, access: "r" },
  ] as never);
});

Deno.test("of a domain that is released nothing is left, and its devices can be plugged in anew", async () => {
  const { zero, id } = await furnished();
  const [port] = zero.bridge("br0").ports;
  zero.release(id);
  assertEquals([...zero.store.list("/local/domain/1")], []);
  assertEquals([...zero.store.list(VBD), ...zero.store.list(VIF)], []);
  assertEquals(port.attached, false);
  assertThrows(() => zero.unplug(id, VBD), RangeError);
  zero.release(id);
});

Deno.test("a destroyed domain gives all its memory back, and the next one starts in its place", async () => {
  const host = await Host.boot({ memory: "32MiB" });
  const before = host.hypervisor.frames.freeFrames;
  for (let round = 0; round < 5; round++) {
    const { domain } = await AbiGuest.join(host);
    host.zero.plugVif(domain.id, 0, { mac: parseMac("00:16:3e:00:00:01") });
    host.destroy(domain);
    assertEquals(host.hypervisor.frames.freeFrames, before);
    assertEquals([...host.hypervisor.events.list(host.zero.vcpu.domain)], []);
    assertThrows(() => host.destroy(domain), RangeError);
  }
});

Deno.test("what cannot be plugged in is said so", async () => {
  const { zero, id } = await furnished();
  const image = new DiskImage(zeroBase(512));
  assertThrows(() => zero.plugDisk(id, { vdev: "hde", image }), SyntaxError, "xvda");
  assertThrows(() => zero.askToUnplug(id, "/nowhere"), RangeError, "/nowhere");
  const mac = parseMac("00:16:3e:00:00:01");
  assertThrows(() => zero.plugVif(id, 1, { mac }), RangeError, "vif1.0");
  zero.unplug(id, VIF);
  zero.plugVif(id, 1, { mac });
});

Deno.test("a snapshot keeps store, connections, devices and bridges", async () => {
  const one = await furnished();
  one.zero.tools.write("/tool/note", "kept");
  const record = one.zero.save();
  const two = await furnished();
  two.zero.restore(record);
  assertEquals(two.zero.save(), record);
  assertEquals(two.zero.tools.readText("/tool/note"), "kept");
});
