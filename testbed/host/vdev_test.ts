import { assertEquals, assertThrows } from "@std/assert";
import { vdevNumber } from "./vdev.ts";

Deno.test("virtual disks have the numbers of xen-vbd-interface", () => {
  const names = [
    "xvda",
    "xvda1",
    "xvdb",
    "xvdp15",
    "xvdq",
    "xvdaa",
    "xvda16",
    "sda",
    "sdb1",
    "hda",
    "hdb3",
    "hdc",
  ];
  assertEquals(names.map(vdevNumber), [
    51712,
    51713,
    51728,
    51967,
    (1 << 28) | (16 << 8),
    (1 << 28) | (26 << 8),
    (1 << 28) | 16,
    2048,
    2065,
    768,
    835,
    5632,
  ]);
  for (const name of ["sdq", "sda16", "hde", "xvd", "xvdA", "xvda256", "xvdaaa"]) {
    assertThrows(() => vdevNumber(name), SyntaxError);
  }
});
