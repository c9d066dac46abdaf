import { assertEquals, assertRejects } from "@std/assert";
import type { MachineOptions } from "../machine_api.ts";
import { gatherParts } from "./parts.ts";

const EMPTY = new Uint8Array(0);
const folder = new URL(".", import.meta.url).pathname;

const mistakes: readonly [options: MachineOptions, message: string][] = [
  [{ bios: "/no/such" }, "option bios: there is no file /no/such"],
  [{ bios: folder }, `option bios: ${folder} is a folder, expected a file`],
  [
    { bios: new Uint8Array(3) },
    "option bios: ROM image has 3 bytes, expected a multiple of 64 KiB up to 16 MiB",
  ],
  [{ cdrom: "/no/such" }, "option cdrom: there is no file /no/such"],
  [{ cdrom: folder }, `option cdrom: ${folder} is a folder, expected a file`],
  [
    { cdrom: EMPTY },
    "option cdrom: the image has 0 bytes, expected a multiple of 2048 as a CD image has",
  ],
  [
    { cdrom: new Uint8Array(513) },
    "option cdrom: the image has 513 bytes, expected a multiple of 2048 as a CD image has",
  ],
  [{ disks: ["/no/such"] }, "option disk: there is no file /no/such"],
  [{ disks: [folder] }, `option disk: ${folder} is a folder, expected a file`],
  [{ disks: [EMPTY] }, "option disk: the image is empty"],
];

for (const [options, message] of mistakes) {
  Deno.test(`one clear error: ${message.replace(folder, "a folder ")}`, async () => {
    const { message: found } = await assertRejects(() => gatherParts(options, "m"), Error);
    assertEquals(found, message);
  });
}
