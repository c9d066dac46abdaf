/** A Debian domain that is saved and restored in the middle of a transfer: the connection outlives it. */

import { assertEquals } from "@std/assert";
import type { Cycles } from "../../core/clock/clock.ts";
import { parseIpv4, parseMac } from "../../devices/net/mod.ts";
import { UserNetwork } from "../../devices/usernet/mod.ts";
import { Host } from "../../testbed/host/host.ts";
import { expectPrompt, pvGuest, shell } from "../guests/pv_session.ts";

const SCRIPTS = {
  "serve.sh": `ip link set eth0 up
ip addr add 10.0.0.10/24 dev eth0
ip route add default via 10.0.0.1
dd if=/dev/urandom of=file bs=64k count=128 2> /dev/null
httpd -h /root; sleep 1; md5sum file`,
};
const CARD = { mac: "00:16:3e:00:00:10", bridge: "br0" };
const FILE_BYTES = 128 * 65536;
const STRETCH = 20_000_000 as Cycles;
const PATIENCE = 3000;

Deno.test("a transfer goes on over two suspensions of its server, and not a byte is lost", async () => {
  const guest = await pvGuest(SCRIPTS);
  if (!guest) return;
  const host = await Host.boot({ memory: "384MiB" });
  const outside = new UserNetwork({
    clock: host.hardware.clock,
    name: "outside",
    port: host.zero.bridge("br0").attach("outside"),
    mac: parseMac("00:16:3e:ff:00:01"),
    address: parseIpv4("10.0.0.1"),
  });
  let domain = await host.create({
    name: "server",
    kernel: guest.vmlinux,
    ramdisk: guest.initrd,
    memory: "128MiB",
    extra: "console=hvc0 quiet",
    vif: [CARD],
  });
  await expectPrompt(host, domain);
  const sum = (await shell(host, domain, "sh serve.sh")).at(-1)!.split(" ")[0];
  const heard: Uint8Array[] = [];
  let ending = "";
  const received = () => heard.reduce((total, { length }) => total + length, 0);
  const stream = outside.connect(parseIpv4("198.51.100.7"), {
    address: parseIpv4("10.0.0.10"),
    port: 80,
  }, {
    name: "client",
    data: (_stream, bytes) => void heard.push(bytes.slice()),
    closed: (_stream, why) => ending = why,
  });
  stream.write(new TextEncoder().encode("GET /file HTTP/1.0\r\n\r\n"));
  const until = async (bytes: number) => {
    for (let i = 0; i < PATIENCE && received() < bytes && ending === ""; i++) {
      await host.run({ forCycles: STRETCH });
    }
  };
  for (const part of [1 / 4, 1 / 2]) {
    await until(FILE_BYTES * part);
    await host.suspend(domain);
    assertEquals(domain.domain.shutdown, "suspend");
    const record = host.save(domain);
    host.destroy(domain);
    domain = host.restoreDomain(record, { vif: [CARD] });
  }
  await until(Infinity);
  assertEquals(ending, "done");
  const all = new Uint8Array(await new Blob(heard as BlobPart[]).arrayBuffer());
  const body = all.subarray(all.length - FILE_BYTES);
  const { createHash } = await import("node:crypto");
  assertEquals(createHash("md5").update(body).digest("hex"), sum);
});
