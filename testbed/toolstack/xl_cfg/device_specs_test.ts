import { assertEquals, assertThrows } from "@std/assert";
import { parseDisk, parseVif, parseVifRate } from "./device_specs.ts";

const DISKS: readonly [text: string, target: string, vdev: string, readonly: boolean][] = [
  ["/img/a.raw,raw,xvda,w", "/img/a.raw", "xvda", false],
  ["a.raw,,xvdb,ro", "a.raw", "xvdb", true],
  ["phy:a.raw,raw,xvda,r", "a.raw", "xvda", true],
  ["vdev=xvda, format=raw, access=rw, target=/img/with,comma", "/img/with,comma", "xvda", false],
  ["a.raw,raw,sda1", "a.raw", "sda1", false],
];
for (const [text, target, vdev, readonly] of DISKS) {
  Deno.test(`disk ${text} is ${target} as ${vdev}`, () => {
    assertEquals(parseDisk(text), { target, vdev, readonly, backend: undefined });
  });
}

Deno.test("vif takes its parts in any order, and none of them", () => {
  const mac = "00:16:3e:00:00:01";
  assertEquals(parseVif(`bridge=br1, mac=${mac}`), {
    mac,
    bridge: "br1",
    rate: undefined,
    vifname: undefined,
    backend: undefined,
  });
  assertEquals(parseVif("").bridge, undefined);
});

Deno.test("a disk and a card may name the domain that serves them", () => {
  assertEquals(parseDisk("backend=storage,vdev=xvda,target=a.raw").backend, "storage");
  assertEquals(parseDisk("a.raw,raw,xvda,w,backend=3").backend, "3");
  assertEquals(parseVif("bridge=br0,backend=net0").backend, "net0");
});

Deno.test("a rate is bytes in each interval", () => {
  assertEquals(parseVifRate("10Mb/s"), { bytes: 62_500, intervalNs: 50e6 });
  assertEquals(parseVifRate("1MB/s@20ms"), { bytes: 20_000, intervalNs: 20e6 });
});

const MISTAKES: readonly [parse: (text: string) => unknown, text: string, complaint: string][] = [
  [parseDisk, "a.raw", "expected a virtual device"],
  [parseDisk, "", "expected a file"],
  [parseDisk, "a.qcow2,qcow2,xvda,w", "the format qcow2 is none of: raw"],
  [parseDisk, "a.raw,raw,xvda,x", "the access x is none of: r, ro, w, rw"],
  [parseDisk, "a.raw,raw,xvda,w,more", "unknown more"],
  [parseVif, "bridg=br0", "unknown bridg: did you mean bridge?"],
  [parseVif, "br0", "expected key=value, found br0"],
  [parseVifRate, "fast", "such as 10Mb/s"],
];
for (const [parse, text, complaint] of MISTAKES) {
  Deno.test(`${JSON.stringify(text)} is refused: ${complaint}`, () => {
    assertThrows(() => parse(text), SyntaxError, complaint);
  });
}
