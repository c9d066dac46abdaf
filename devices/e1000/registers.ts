/**
 * The register file of the 82540EM as a table, and the store behind it.
 *
 * Names, offsets and access from Intel's "PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual" (8254x), chapter 13, "Register Descriptions"; table 13-2.
 */

import { invariant } from "../../core/lib/assert.ts";

/**
 * How software reaches a register: plain storage, read-only, write-only, write of anything ignored and
 * cleared by a read (statistics), or with a side effect of its own, which the chip handles.
 */
export type Access = "rw" | "ro" | "wo" | "rc" | "special";

interface RegisterRow {
  readonly name: string;
  readonly offset: number;
  readonly access: Access;
  /** Value after reset; default 0. */
  readonly reset?: number;
  /** Bits that a write changes; default all. */
  readonly writable?: number;
  /** How many there are, `strideBytes` apart; default 1. */
  readonly count?: number;
  /** Default 4. */
  readonly strideBytes?: number;
  readonly text: string;
}

const row = (
  name: string,
  offset: number,
  access: Access,
  text: string,
  more: Partial<RegisterRow> = {},
): RegisterRow => ({ name, offset, access, text, ...more });

const RING = { writable: 0xfffffff0 };
const RING_LENGTH = { writable: 0x000fff80 };
const RING_INDEX = { writable: 0x0000ffff };

/** Registers with meaning, and those that software may store into. */
const CONTROL_REGISTERS = [
  row("CTRL", 0x0000, "special", "Device Control", { reset: 0x00000241 }),
  row("STATUS", 0x0008, "special", "Device Status"),
  row("EECD", 0x0010, "special", "EEPROM/Flash Control/Data"),
  row("EERD", 0x0014, "special", "EEPROM Read"),
  row("CTRL_EXT", 0x0018, "special", "Extended Device Control"),
  row("FLA", 0x001c, "rw", "Flash Access"),
  row("MDIC", 0x0020, "special", "MDI Control", { reset: 0x10000000 }),
  row("FCAL", 0x0028, "rw", "Flow Control Address Low"),
  row("FCAH", 0x002c, "rw", "Flow Control Address High"),
  row("FCT", 0x0030, "rw", "Flow Control Type"),
  row("VET", 0x0038, "rw", "VLAN Ether Type", { reset: 0x8100, writable: 0xffff }),
  row("ICR", 0x00c0, "special", "Interrupt Cause Read"),
  row("ITR", 0x00c4, "special", "Interrupt Throttling"),
  row("ICS", 0x00c8, "special", "Interrupt Cause Set"),
  row("IMS", 0x00d0, "special", "Interrupt Mask Set/Read"),
  row("IMC", 0x00d8, "special", "Interrupt Mask Clear"),
  row("RCTL", 0x0100, "special", "Receive Control"),
  row("FCTTV", 0x0170, "rw", "Flow Control Transmit Timer Value"),
  row("TXCW", 0x0178, "rw", "Transmit Configuration Word"),
  row("RXCW", 0x0180, "ro", "Receive Configuration Word"),
  row("TCTL", 0x0400, "special", "Transmit Control"),
  row("TIPG", 0x0410, "rw", "Transmit Inter Packet Gap"),
  row("AIFS", 0x0458, "rw", "Adaptive IFS Throttle"),
  row("LEDCTL", 0x0e00, "rw", "LED Control", { reset: 0x07068302 }),
  row("PBA", 0x1000, "rw", "Packet Buffer Allocation", { reset: 0x00100030 }),
  row("FCRTL", 0x2160, "rw", "Flow Control Receive Threshold Low"),
  row("FCRTH", 0x2168, "rw", "Flow Control Receive Threshold High"),
  row("RDFH", 0x2410, "rw", "Receive Data FIFO Head"),
  row("RDFT", 0x2418, "rw", "Receive Data FIFO Tail"),
  row("RDFHS", 0x2420, "rw", "Receive Data FIFO Head Saved"),
  row("RDFTS", 0x2428, "rw", "Receive Data FIFO Tail Saved"),
  row("RDFPC", 0x2430, "rw", "Receive Data FIFO Packet Count"),
  row("RDBAL", 0x2800, "rw", "Receive Descriptor Base Low", RING),
  row("RDBAH", 0x2804, "rw", "Receive Descriptor Base High"),
  row("RDLEN", 0x2808, "rw", "Receive Descriptor Length", RING_LENGTH),
  row("RDH", 0x2810, "rw", "Receive Descriptor Head", RING_INDEX),
  row("RDT", 0x2818, "special", "Receive Descriptor Tail"),
  row("RDTR", 0x2820, "rw", "Receive Delay Timer", { writable: 0xffff }),
  row("RXDCTL", 0x2828, "rw", "Receive Descriptor Control", { reset: 0x00010000 }),
  row("RADV", 0x282c, "rw", "Receive Interrupt Absolute Delay Timer", { writable: 0xffff }),
  row("RSRPD", 0x2c00, "rw", "Receive Small Packet Detect", { writable: 0x0fff }),
  row("TXDMAC", 0x3000, "rw", "Transmit DMA Control"),
  row("TDFH", 0x3410, "rw", "Transmit Data FIFO Head"),
  row("TDFT", 0x3418, "rw", "Transmit Data FIFO Tail"),
  row("TDFHS", 0x3420, "rw", "Transmit Data FIFO Head Saved"),
  row("TDFTS", 0x3428, "rw", "Transmit Data FIFO Tail Saved"),
  row("TDFPC", 0x3430, "rw", "Transmit Data FIFO Packet Count"),
  row("TDBAL", 0x3800, "rw", "Transmit Descriptor Base Low", RING),
  row("TDBAH", 0x3804, "rw", "Transmit Descriptor Base High"),
  row("TDLEN", 0x3808, "rw", "Transmit Descriptor Length", RING_LENGTH),
  row("TDH", 0x3810, "rw", "Transmit Descriptor Head", RING_INDEX),
  row("TDT", 0x3818, "special", "Transmit Descriptor Tail"),
  row("TIDV", 0x3820, "rw", "Transmit Interrupt Delay Value", { writable: 0xffff }),
  row("TXDCTL", 0x3828, "rw", "Transmit Descriptor Control"),
  row("TADV", 0x382c, "rw", "Transmit Absolute Interrupt Delay Value", { writable: 0xffff }),
  row("TSPMT", 0x3830, "rw", "TCP Segmentation Pad and Minimum Threshold"),
  row("RXCSUM", 0x5000, "rw", "Receive Checksum Control", { writable: 0x3ff }),
  row("MTA", 0x5200, "rw", "Multicast Table Array", { count: 128 }),
  row("RAL", 0x5400, "rw", "Receive Address Low", { count: 16, strideBytes: 8 }),
  row("RAH", 0x5404, "rw", "Receive Address High", {
    count: 16,
    strideBytes: 8,
    writable: 0x8003ffff,
  }),
  row("VFTA", 0x5600, "rw", "VLAN Filter Table Array", { count: 128 }),
  row("WUC", 0x5800, "rw", "Wakeup Control"),
  row("WUFC", 0x5808, "rw", "Wakeup Filter Control"),
  row("WUS", 0x5810, "ro", "Wakeup Status"),
  row("MANC", 0x5820, "rw", "Management Control"),
  row("IPAV", 0x5838, "rw", "IP Address Valid"),
] as const satisfies readonly RegisterRow[];

/** Statistics (section 13.7): cleared by reading, stuck at their greatest value. */
const STATISTICS = [
  "CRCERRS 4000 CRC Error Count",
  "ALGNERRC 4004 Alignment Error Count",
  "SYMERRS 4008 Symbol Error Count",
  "RXERRC 400c RX Error Count",
  "MPC 4010 Missed Packets Count",
  "SCC 4014 Single Collision Count",
  "ECOL 4018 Excessive Collisions Count",
  "MCC 401c Multiple Collision Count",
  "LATECOL 4020 Late Collisions Count",
  "COLC 4028 Collision Count",
  "DC 4030 Defer Count",
  "TNCRS 4034 Transmit with No CRS",
  "SEC 4038 Sequence Error Count",
  "CEXTERR 403c Carrier Extension Error Count",
  "RLEC 4040 Receive Length Error Count",
  "XONRXC 4048 XON Received Count",
  "XONTXC 404c XON Transmitted Count",
  "XOFFRXC 4050 XOFF Received Count",
  "XOFFTXC 4054 XOFF Transmitted Count",
  "FCRUC 4058 FC Received Unsupported Count",
  "PRC64 405c Packets Received [64 Bytes] Count",
  "PRC127 4060 Packets Received [65-127 Bytes] Count",
  "PRC255 4064 Packets Received [128-255 Bytes] Count",
  "PRC511 4068 Packets Received [256-511 Bytes] Count",
  "PRC1023 406c Packets Received [512-1023 Bytes] Count",
  "PRC1522 4070 Packets Received [1024 to Max Bytes] Count",
  "GPRC 4074 Good Packets Received Count",
  "BPRC 4078 Broadcast Packets Received Count",
  "MPRC 407c Multicast Packets Received Count",
  "GPTC 4080 Good Packets Transmitted Count",
  "GORCL 4088 Good Octets Received Count Low",
  "GORCH 408c Good Octets Received Count High",
  "GOTCL 4090 Good Octets Transmitted Count Low",
  "GOTCH 4094 Good Octets Transmitted Count High",
  "RNBC 40a0 Receive No Buffers Count",
  "RUC 40a4 Receive Undersize Count",
  "RFC 40a8 Receive Fragment Count",
  "ROC 40ac Receive Oversize Count",
  "RJC 40b0 Receive Jabber Count",
  "MGTPRC 40b4 Management Packets Received Count",
  "MGTPDC 40b8 Management Packets Dropped Count",
  "MGTPTC 40bc Management Packets Transmitted Count",
  "TORL 40c0 Total Octets Received Low",
  "TORH 40c4 Total Octets Received High",
  "TOTL 40c8 Total Octets Transmitted Low",
  "TOTH 40cc Total Octets Transmitted High",
  "TPR 40d0 Total Packets Received",
  "TPT 40d4 Total Packets Transmitted",
  "PTC64 40d8 Packets Transmitted [64 Bytes] Count",
  "PTC127 40dc Packets Transmitted [65-127 Bytes] Count",
  "PTC255 40e0 Packets Transmitted [128-255 Bytes] Count",
  "PTC511 40e4 Packets Transmitted [256-511 Bytes] Count",
  "PTC1023 40e8 Packets Transmitted [512-1023 Bytes] Count",
  "PTC1522 40ec Packets Transmitted [1024 Bytes or Greater] Count",
  "MPTC 40f0 Multicast Packets Transmitted Count",
  "BPTC 40f4 Broadcast Packets Transmitted Count",
  "TSCTC 40f8 TCP Segmentation Context Transmitted Count",
  "TSCTFC 40fc TCP Segmentation Context Tx Fail Count",
].map((line) => {
  const [name, offset, ...text] = line.split(" ");
  return row(name, parseInt(offset, 16), "rc", text.join(" "));
});

/** Every register of the chip. */
export const REGISTERS: readonly RegisterRow[] = [...CONTROL_REGISTERS, ...STATISTICS];

/** The name of a control register. */
export type RegisterName = typeof CONTROL_REGISTERS[number]["name"];

/** Offsets of the control registers, by name; of an array, that of its first. */
export const REGISTER = Object.fromEntries(
  CONTROL_REGISTERS.map(({ name, offset }) => [name, offset]),
) as Readonly<Record<RegisterName, number>>;

/** Offsets of the statistics registers, by name. */
export const STATISTIC: Readonly<Record<string, number>> = Object.fromEntries(
  STATISTICS.map(({ name, offset }) => [name, offset]),
);

/** What software maps, in bytes. */
export const REGISTER_SPACE_BYTES = 0x20000;

/** Where one offset leads. */
export interface RegisterSlot {
  readonly row: RegisterRow;
  readonly index: number;
}

const SLOTS: ReadonlyMap<number, RegisterSlot> = slotsOf(REGISTERS);

/** The register at `offset` (a multiple of four), if there is one. */
export function registerAt(offset: number): RegisterSlot | undefined {
  return SLOTS.get(offset);
}

function slotsOf(rows: readonly RegisterRow[]): Map<number, RegisterSlot> {
  const slots = new Map<number, RegisterSlot>();
  for (const one of rows) {
    for (let index = 0; index < (one.count ?? 1); index++) {
      const offset = one.offset + index * (one.strideBytes ?? 4);
      const other = slots.get(offset);
      invariant(!other, `registers ${one.name} and ${other?.row.name} overlap`);
      invariant(offset % 4 === 0 && offset < REGISTER_SPACE_BYTES, `${one.name} is out of place`);
      slots.set(offset, { row: one, index });
    }
  }
  return slots;
}

/** The values of all registers. */
export class RegisterFile {
  readonly #values = new Map<number, number>();

  constructor() {
    this.reset();
  }

  reset(): void {
    for (const [offset, { row }] of SLOTS) this.#values.set(offset, row.reset ?? 0);
  }

  /** The value at `offset`; zero where there is no register. */
  get(offset: number): number {
    return this.#values.get(offset) ?? 0;
  }

  set(offset: number, value: number): void {
    this.#values.set(offset, value >>> 0);
  }

  /** Writes as software does to a plain register: only writable bits change. */
  write(offset: number, value: number, writable = 0xffffffff): void {
    this.set(offset, (this.get(offset) & ~writable) | (value & writable));
  }

  /** Adds to a statistics counter, which sticks at its greatest value. */
  count(offset: number, amount = 1): void {
    this.#values.set(offset, Math.min(0xffffffff, this.get(offset) + amount));
  }

  /** Adds to a 64-bit counter of two registers, low and high. */
  count64(offset: number, amount: number): void {
    const sum = this.get(offset) + amount;
    this.set(offset, sum % 2 ** 32);
    this.set(offset + 4, this.get(offset + 4) + Math.floor(sum / 2 ** 32));
  }

  /** All values that are not zero, by name (`CTRL`, `MTA[3]`). */
  save(): { readonly [name: string]: number } {
    const values: { [name: string]: number } = {};
    for (const [offset, slot] of SLOTS) {
      if (this.get(offset) !== 0) values[slotName(slot)] = this.get(offset);
    }
    return values;
  }

  restore(values: { readonly [name: string]: number }): void {
    for (const [offset, slot] of SLOTS) this.set(offset, values[slotName(slot)] ?? 0);
  }
}

function slotName({ row, index }: RegisterSlot): string {
  return row.count ? `${row.name}[${index}]` : row.name;
}
