import { assertEquals, assertThrows } from "@std/assert";
import { XEN_ELFNOTE } from "../../core/abi/operations.ts";
import { test } from "../../core/lib/testing.ts";
import { BootError } from "./boot_error.ts";
import { concatBytes, utf8 } from "./layout.ts";
import { pvNotes } from "./pv_notes.ts";
import { elfImage, elfNote, pattern } from "./test_images.ts";

const BASE = 0xc000_0000;

/** A 32-bit kernel at {@link BASE} whose section `__xen_guest` is `text`. */
function legacyKernel(text: string): Uint8Array {
  const image = elfImage({
    bits: 32,
    entry: BASE + 0x10,
    segments: [{ address: BASE, data: pattern(64) }],
  });
  const names = "\0__xen_guest\0.shstrtab\0";
  const content = utf8(text + "\0");
  const header = (name: number, type: number, offset: number, size: number) => {
    const words = new Uint32Array(10);
    [words[0], words[1], words[4], words[5]] = [name, type, offset, size];
    return new Uint8Array(words.buffer);
  };
  const at = image.length;
  const kernel = concatBytes([
    image,
    header(0, 0, 0, 0),
    header(1, 1, at + 120, content.length),
    header(13, 3, at + 120 + content.length, names.length),
    content,
    utf8(names),
  ]);
  const view = new DataView(kernel.buffer);
  view.setUint32(32, at, true);
  [40, 3, 2].forEach((value, i) => view.setUint16(46 + 2 * i, value, true));
  return kernel;
}

test("a kernel without notes says what it is in __xen_guest", () => {
  const text =
    "GUEST_OS=GNU Mach,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,ELF_PADDR_OFFSET=0xC0000000," +
    "HYPERCALL_PAGE=0x2,PAE=yes[extended-cr3],LOADER=generic,FEATURES=pae_pgdir_above_4gb";
  assertEquals(pvNotes(legacyKernel(text)), {
    model: "ilp32",
    guestOs: "GNU Mach",
    entry: BigInt(BASE + 0x10),
    hypercallPage: BigInt(BASE + 0x2000),
    virtBase: BigInt(BASE),
    paddrOffset: BigInt(BASE),
    initP2m: null,
    modStartPfn: false,
    features: "pae_pgdir_above_4gb",
  });
});

test("in __xen_guest the start may be named, and physical addresses begin with the virtual base", () => {
  const { entry, paddrOffset, hypercallPage } = pvNotes(
    legacyKernel("VIRT_BASE=0xC0000000,VIRT_ENTRY=0xC0001000,PAE=bimodal"),
  );
  assertEquals([entry, paddrOffset, hypercallPage], [0xc000_1000n, BigInt(BASE), null]);
});

test("a text that is cut short, as that of GRUB for 32-bit Xen, is what is there", () => {
  const address = new Uint8Array(new Uint32Array([BASE]).buffer);
  const paeMode = elfNote("Xen", XEN_ELFNOTE.PAE_MODE, utf8("yes\0\0\0\0\0\0\0\0\0"));
  const kernel = elfImage({
    bits: 32,
    entry: BASE,
    segments: [
      { address: BASE, data: pattern(64) },
      {
        type: 4,
        address: 0,
        data: concatBytes([elfNote("Xen", XEN_ELFNOTE.ENTRY, address), paeMode.subarray(0, 20)]),
      },
    ],
  });
  assertEquals([pvNotes(kernel).model, pvNotes(kernel).entry], ["ilp32", BigInt(BASE)]);
});

const MISTAKES: readonly (readonly [what: string, text: string, message: string])[] = [
  ["a number that is none", "VIRT_BASE=here,PAE=yes", 'VIRT_BASE is "here"'],
  ["a kernel without PAE", "VIRT_BASE=0xC0000000,PAE=no", 'PAE mode "no"'],
];

for (const [what, text, message] of MISTAKES) {
  test(`${what} in __xen_guest is a BootError that says so`, () => {
    assertThrows(() => pvNotes(legacyKernel(text)), BootError, message);
  });
}
