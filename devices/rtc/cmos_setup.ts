/**
 * What a PC's set-up program leaves in CMOS memory for the firmware: memory size, drives, boot order.
 *
 * Source: the CMOS map that SeaBIOS reads (its documentation "Memory model" and QEMU's PC machine), after the
 * IBM PC AT technical reference, "CMOS RAM information".
 */

/** Where the firmware may look for a system. */
export type BootDevice = "floppy" | "disk" | "cdrom" | "network";

/** The drive type of a floppy drive, by its capacity. */
export type FloppyType = "none" | "360K" | "1.2M" | "720K" | "1.44M" | "2.88M";

/** The geometry of a fixed disk. */
export interface DiskGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** What the set-up program knows of the machine. */
export interface CmosSetup {
  /** RAM below 4 GiB, in bytes. */
  readonly memoryBytes: number;
  /** RAM above 4 GiB, in bytes. */
  readonly memoryAbove4GBytes?: number;
  readonly cpus?: number;
  /** At most three devices, first choice first. */
  readonly bootOrder?: readonly BootDevice[];
  readonly floppies?: readonly [FloppyType, FloppyType];
  /** The disks of the first IDE channel, `null` where there is none. */
  readonly disks?: readonly (DiskGeometry | null)[];
}

const floppyCode = { none: 0, "360K": 1, "1.2M": 2, "720K": 3, "1.44M": 4, "2.88M": 5 } as const;
const bootCode = { floppy: 1, disk: 2, cdrom: 3, network: 4 } as const;
const equipment = { floppy: 1 << 0, fpu: 1 << 1, mouse: 1 << 2 } as const;
const kib = 1024;
const mib = 1024 * kib;

/** The CMOS bytes of `setup`, as (index, value) pairs; throws `RangeError` on what does not fit. */
export function cmosBytesOf(setup: CmosSetup): readonly (readonly [number, number])[] {
  const bytes: [number, number][] = [
    ...memoryFields(setup),
    ...bootFields(setup.bootOrder ?? ["disk", "cdrom", "floppy"]),
    ...driveFields(setup),
    [0x5f, (setup.cpus ?? 1) - 1],
  ];
  // The standard checksum covers bytes 0x10 to 0x2d, high byte first.
  const sum = bytes.reduce(
    (total, [index, value]) => total + (index >= 0x10 && index <= 0x2d ? value : 0),
    0,
  );
  return [...bytes, [0x2e, sum >> 8], [0x2f, sum & 0xff]];
}

function memoryFields(setup: CmosSetup): [number, number][] {
  const { memoryBytes, memoryAbove4GBytes = 0 } = setup;
  if (!(memoryBytes >= mib && memoryBytes <= 4096 * mib)) {
    throw new RangeError(`memory below 4 GiB must be 1 MiB to 4 GiB, found ${memoryBytes} bytes`);
  }
  const extendedKib = Math.min(0xffff, Math.floor((memoryBytes - mib) / kib));
  const above16M = Math.min(0xffff, Math.max(0, Math.floor((memoryBytes - 16 * mib) / (64 * kib))));
  const above4G = Math.floor(memoryAbove4GBytes / (64 * kib));
  if (above4G > 0xffffff) {
    throw new RangeError(`memory above 4 GiB must be below 1 TiB, found ${memoryAbove4GBytes}`);
  }
  return [
    [0x15, 640 & 0xff],
    [0x16, 640 >> 8],
    [0x17, extendedKib & 0xff],
    [0x18, extendedKib >> 8],
    [0x30, extendedKib & 0xff],
    [0x31, extendedKib >> 8],
    [0x34, above16M & 0xff],
    [0x35, above16M >> 8],
    [0x5b, above4G & 0xff],
    [0x5c, (above4G >> 8) & 0xff],
    [0x5d, above4G >> 16],
  ];
}

function bootFields(order: readonly BootDevice[]): [number, number][] {
  if (order.length > 3) {
    throw new RangeError(`the boot order has at most 3 devices, found ${order.length}`);
  }
  const [first = 0, second = 0, third = 0] = order.map((device) => bootCode[device]);
  // Bit 0 of 0x38 lets a floppy boot without the 0xaa55 signature.
  return [[0x3d, first | (second << 4)], [0x38, (third << 4) | 1]];
}

function driveFields(setup: CmosSetup): [number, number][] {
  const [floppyA, floppyB] = (setup.floppies ?? ["none", "none"]).map((type) => floppyCode[type]);
  const floppies = (floppyA === 0 ? 0 : 1) + (floppyB === 0 ? 0 : 1);
  const floppyBits = floppies === 0 ? 0 : equipment.floppy | ((floppies - 1) << 6);
  const [disk0 = null, disk1 = null] = setup.disks ?? [];
  return [
    [0x10, (floppyA << 4) | floppyB],
    [0x14, floppyBits | equipment.fpu | equipment.mouse],
    [0x12, (disk0 ? 0xf0 : 0) | (disk1 ? 0x0f : 0)],
    ...(disk0 ? diskFields(disk0, 0x19, 0x1b) : []),
    ...(disk1 ? diskFields(disk1, 0x1a, 0x24) : []),
    [0x39, translation(disk0) | (translation(disk1) << 2)],
  ];
}

/** Drive type 47 ("user defined") and its table. */
function diskFields(disk: DiskGeometry, typeAt: number, tableAt: number): [number, number][] {
  const { cylinders, heads, sectors } = disk;
  const low = cylinders & 0xff;
  const high = (cylinders >> 8) & 0xff;
  const control = 0xc0 | (heads > 8 ? 8 : 0);
  const table = [low, high, heads, 0xff, 0xff, control, low, high, sectors];
  return [
    [typeAt, 47],
    ...table.map((value, index): [number, number] => [tableAt + index, value]),
  ];
}

/** The translation of INT 13h addresses: 0 none, 1 LBA assisted. */
function translation(disk: DiskGeometry | null): number {
  return disk !== null && disk.cylinders > 1024 ? 1 : 0;
}
