/**
 * The tiny domain: a paravirtual 64-bit kernel of our own that needs four megabytes, no file and no download. It has a
 * network card and a disk, answers echoes, and does what its command line and its console say.
 *
 * ```ts ignore
 * const a = await host.create({ name: "a", kernel: "tiny", memory: "4MiB", vif: [{}], extra: "ip 10.0.0.1" });
 * const b = await host.create({ name: "b", kernel: "tiny", memory: "4MiB", vif: [{}], extra: "ip 10.0.0.2" });
 * await b.console.waitFor("tiny> ");
 * b.console.send("ping 10.0.0.1 3\n");
 * ```
 *
 * Its parts follow each other: each is assembly with what it is made from, the tables of `core/abi`.
 */

import { XEN_ELFNOTE } from "../../../core/abi/operations.ts";
import { assemble } from "../../../core/x86/assembler/mod.ts";
import { writeElf } from "../elf_writer.ts";
import { BLOCK_COMMANDS_SOURCE } from "./block_commands_source.ts";
import { BLOCK_SOURCE } from "./block_source.ts";
import { COMMANDS_SOURCE } from "./commands_source.ts";
import { CONSOLE_SOURCE } from "./console_source.ts";
import { DHCP_SOURCE } from "./dhcp_source.ts";
import { FRONT_SOURCE } from "./front_source.ts";
import { NET_COMMANDS_SOURCE } from "./net_commands_source.ts";
import { NET_SOURCE, RX_PAGES, TX_PAGES } from "./net_source.ts";
import { PACKETS_SOURCE } from "./packets_source.ts";
import { START_SOURCE } from "./start_source.ts";
import { STORE_SOURCE } from "./store_source.ts";

const PAGE_BYTES = 4096;
/** Linear addresses are pseudo-physical ones. */
const VIRT_BASE = 0;
const LOAD_ADDRESS = 0x10_0000;

/** Pages behind the image, zero at the start: labels and how many. A message of the store may take more than one. */
const PAGES: readonly (readonly [label: string, count: number])[] = [
  ["shared_info", 1],
  ["grant_table", 1],
  ["store_input", 2],
  ["tx_ring", 1],
  ["rx_ring", 1],
  ["block_ring", 1],
  ["block_page", 1],
  ["tx_pages", TX_PAGES],
  ["rx_pages", RX_PAGES],
];

/** The assembly it is made of. */
export const TINY_DOMAIN_SOURCE: string = [
  START_SOURCE,
  COMMANDS_SOURCE,
  NET_COMMANDS_SOURCE,
  BLOCK_COMMANDS_SOURCE,
  CONSOLE_SOURCE,
  STORE_SOURCE,
  FRONT_SOURCE,
  NET_SOURCE,
  PACKETS_SOURCE,
  DHCP_SOURCE,
  BLOCK_SOURCE,
  `        align ${PAGE_BYTES}, 0\nimage_end:`,
  ...PAGES.map(([label], place) => {
    const before = PAGES.slice(0, place).reduce((pages, [, count]) => pages + count, 0);
    return `${label} equ image_end + ${before * PAGE_BYTES}`;
  }),
].join("\n");

/** Its ELF image, with Xen's notes; it is assembled when it is first asked for. */
export function tinyDomain(): Uint8Array<ArrayBuffer> {
  return image ??= assembled();
}

let image: Uint8Array<ArrayBuffer> | null = null;

function assembled(): Uint8Array<ArrayBuffer> {
  const { bytes, labels } = assemble(TINY_DOMAIN_SOURCE, { bits: 64, origin: LOAD_ADDRESS });
  const entry = Number(labels.entry);
  return writeElf({
    bits: 64,
    address: LOAD_ADDRESS,
    entry,
    bytes,
    zeroBytes: PAGES.reduce((pages, [, count]) => pages + count, 0) * PAGE_BYTES,
    notes: [
      [XEN_ELFNOTE.XEN_VERSION, "xen-3.0"],
      [XEN_ELFNOTE.LOADER, "generic"],
      [XEN_ELFNOTE.ENTRY, entry],
      [XEN_ELFNOTE.VIRT_BASE, VIRT_BASE],
    ],
  });
}
