import { assertEquals, assertThrows } from "@std/assert";
import { XEN_ELFNOTE } from "../../core/abi/operations.ts";
import { SIF, start_info } from "../../core/abi/xen.ts";
import { test } from "../../core/lib/testing.ts";
import { BootError } from "./boot_error.ts";
import { concatBytes, utf8 } from "./layout.ts";
import { planPv, type PvPlan, type PvRequest } from "./pv_domain.ts";
import { elfImage, elfNote, pattern } from "./test_images.ts";

const VIRT_BASE = 0xffff_ffff_8000_0000n;
const ENTRY = VIRT_BASE + 0x10_0000n;
const PAGES = 4096;
/** Machine frames lie backwards, so that no number is right by accident. */
const mfnOf = (pfn: number) => 0x10_0000 - pfn;

/** A note of the kernel's, as the header draws it. */
function note(type: number, value: bigint): number[] {
  const view = new DataView(new ArrayBuffer(24));
  [4, 8, type].forEach((word, i) => view.setUint32(4 * i, word, true));
  [0x58, 0x65, 0x6e, 0].forEach((byte, i) => view.setUint8(12 + i, byte));
  view.setBigUint64(16, value, true);
  return [...new Uint8Array(view.buffer)];
}

function kernel(
  extra: readonly (readonly [type: number, value: bigint])[] = [],
  bits: 32 | 64 = 64,
): Uint8Array {
  const notes = [[XEN_ELFNOTE.ENTRY, ENTRY], [XEN_ELFNOTE.VIRT_BASE, VIRT_BASE], ...extra] as const;
  return elfImage({
    bits,
    segments: [
      { address: 0x10_0000, data: pattern(5000), memoryBytes: 0x3000 },
      {
        type: 4,
        address: 0,
        data: Uint8Array.from(notes.flatMap(([type, value]) => note(type, value))),
      },
    ],
  });
}

function plan(request: Partial<PvRequest> = {}): PvPlan {
  return planPv({
    kernel: kernel(),
    pages: PAGES,
    mfnOf,
    sharedInfo: 77,
    consolePort: 2,
    storePort: 1,
    ...request,
  });
}

/** The domain's memory as the plan fills it, by pseudo-physical address. */
function memoryOf({ writes }: PvPlan): DataView {
  const bytes = new Uint8Array(PAGES * 4096);
  for (const { pfn, bytes: part } of writes) bytes.set(part, pfn * 4096);
  return new DataView(bytes.buffer);
}

/** Follows the planned tables: the frame and the flags of the page at `address`, or `null`. */
function walk(of: PvPlan, address: bigint): { pfn: number; flags: number } | null {
  const memory = memoryOf(of);
  let pfn = of.rootPfn;
  for (let shift = 39n;; shift -= 9n) {
    const at = pfn * 4096 + 8 * Number((address >> shift) & 511n);
    const entry = memory.getBigUint64(at, true);
    if ((entry & 1n) === 0n) return null;
    pfn = 0x10_0000 - Number(entry >> 12n);
    if (shift === 12n) return { pfn, flags: Number(entry & 0xfffn) };
  }
}

const startInfoOf = (of: PvPlan) => {
  const place = walk(of, of.startInfo);
  return start_info.read(new Uint8Array(memoryOf(of).buffer), place!.pfn * 4096);
};

test("kernel, start information and stack are mapped where the ABI says, tables read-only", () => {
  const of = plan({ commandLine: "quiet" });
  assertEquals(of.entry, ENTRY);
  assertEquals(walk(of, ENTRY), { pfn: 0x100, flags: 0x63 });
  assertEquals(memoryOf(of).getUint8(0x10_0000 + 4999), pattern(5000)[4999]);
  const info = startInfoOf(of);
  const base = info.pt_base;
  for (let i = 0n; i < info.nr_pt_frames; i++) {
    assertEquals(walk(of, base + 4096n * i)!.flags, 0x21);
  }
  assertEquals(walk(of, base)!.pfn, of.rootPfn);
  assertEquals(walk(of, of.stack - 8n)!.flags, 0x63);
  // The bootstrap region ends on 4 MiB with 512 KiB to spare.
  assertEquals(walk(of, VIRT_BASE + 0x3f_f000n)!.pfn, 0x3ff);
  assertEquals(walk(of, VIRT_BASE + 0x40_0000n), null);
});

test("start information names every frame and channel", () => {
  const info = startInfoOf(plan({ commandLine: "quiet" }));
  assertEquals(String.fromCharCode(...info.magic.slice(0, 14)), "xen-3.0-x86_64");
  assertEquals([info.nr_pages, info.shared_info], [BigInt(PAGES), 77n << 12n]);
  assertEquals([info.console_evtchn, info.store_evtchn, info.flags], [2, 1, 0]);
  assertEquals(String.fromCharCode(...info.cmd_line.slice(0, 6)), "quiet\0");
});

test("the list of machine frames lies in the mapping, or where the kernel wants it", () => {
  const wanted = 0x80_0000_0000n;
  for (
    const [image, elsewhere] of [
      [kernel(), false],
      [kernel([[XEN_ELFNOTE.INIT_P2M, wanted]]), true],
    ] as const
  ) {
    const of = plan({ kernel: image });
    const info = startInfoOf(of);
    assertEquals(info.mfn_list === wanted, elsewhere);
    const last = walk(of, info.mfn_list + 8n * BigInt(PAGES - 1))!;
    const memory = memoryOf(of);
    assertEquals(memory.getBigUint64(last.pfn * 4096 + 4088, true), BigInt(mfnOf(PAGES - 1)));
    // Eight pages of list, and three tables that map them.
    assertEquals(info.nr_p2m_frames, elsewhere ? 11n : 0n);
  }
});

test("an initramfs is mapped, or named by its frame if the kernel takes that", () => {
  const initrd = pattern(10_000, 3);
  const mapped = plan({ initrd });
  const info = startInfoOf(mapped);
  const place = walk(mapped, info.mod_start)!.pfn;
  assertEquals([info.mod_len, info.flags & SIF.MOD_START_PFN], [10_000n, 0]);
  assertEquals(memoryOf(mapped).getUint8(place * 4096 + 9999), initrd[9999]);
  const named = plan({ initrd, kernel: kernel([[XEN_ELFNOTE.MOD_START_PFN, 1n]]) });
  const other = startInfoOf(named);
  assertEquals(other.flags & SIF.MOD_START_PFN, SIF.MOD_START_PFN);
  assertEquals(memoryOf(named).getUint8(Number(other.mod_start) * 4096 + 9999), initrd[9999]);
});

const MISTAKES: readonly (readonly [what: string, request: Partial<PvRequest>, message: string])[] =
  [
    ["no Xen notes", { kernel: elfImage() }, "CONFIG_XEN_PV"],
    ["a 32-bit kernel without PAE", { kernel: kernel([], 32) }, 'PAE mode ""'],
    ["too little memory", { pages: 300 }, "300 pages"],
    ["a command line that is too long", { commandLine: "x".repeat(1024) }, "command line"],
  ];

for (const [what, request, message] of MISTAKES) {
  test(`${what} is a BootError that says so`, () => {
    assertThrows(() => plan(request), BootError, message);
  });
}

test("a 32-bit kernel gets four page-directory pointers, the last one always, and words of four bytes", () => {
  const base = 0x4000_0000;
  const narrow = elfImage({
    bits: 32,
    entry: base,
    segments: [
      { address: 0, virtualAddress: BigInt(base), data: pattern(5000), memoryBytes: 0x3000 },
      {
        type: 4,
        address: 0,
        data: concatBytes([
          elfNote("Xen", XEN_ELFNOTE.ENTRY, word(base)),
          elfNote("Xen", XEN_ELFNOTE.VIRT_BASE, word(base)),
          elfNote("Xen", XEN_ELFNOTE.PAE_MODE, utf8("yes\0")),
        ]),
      },
    ],
  });
  const of = plan({ kernel: narrow });
  const memory = memoryOf(of);
  const pointers = Array.from(
    { length: 5 },
    (_, i) => memory.getUint32(of.rootPfn * 4096 + 8 * i, true) & 0xfff,
  );
  assertEquals(pointers, [0, 1, 0, 1, 0]);
  const info = start_info.read(
    new Uint8Array(memory.buffer),
    (Number(of.startInfo) - base) / 4096 * 4096,
    "ilp32",
  );
  assertEquals(String.fromCharCode(...info.magic.slice(0, 15)), "xen-3.0-x86_32p");
  // Root, two tables of level 2, one for each 2 MiB of the mapping.
  assertEquals([info.nr_pages, info.nr_pt_frames], [BigInt(PAGES), 5n]);
  const list = Number(info.mfn_list) - base;
  assertEquals(memory.getUint32(list + 4 * (PAGES - 1), true), mfnOf(PAGES - 1));
});

function word(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}
