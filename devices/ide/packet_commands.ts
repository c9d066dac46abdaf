/**
 * The packet commands of a CD-ROM drive: what a 12-byte command packet asks for, as a value.
 *
 * Sources: SFF-8020i "ATA Packet Interface for CD-ROMs", MMC-3 (T10/1363-D), SPC-2 (T10/1236-D).
 */

/** Bytes in a CD sector of mode 1. */
export const CD_SECTOR_BYTES = 2048;
/** Bytes in a command packet. */
export const PACKET_BYTES = 12;

/** Operation codes of packet commands. */
export const PACKET_COMMAND = {
  TEST_UNIT_READY: 0x00,
  REQUEST_SENSE: 0x03,
  INQUIRY: 0x12,
  MODE_SENSE_6: 0x1a,
  START_STOP_UNIT: 0x1b,
  PREVENT_ALLOW_MEDIUM_REMOVAL: 0x1e,
  READ_CAPACITY: 0x25,
  READ_10: 0x28,
  SEEK_10: 0x2b,
  READ_TOC: 0x43,
  GET_CONFIGURATION: 0x46,
  GET_EVENT_STATUS_NOTIFICATION: 0x4a,
  READ_DISC_INFORMATION: 0x51,
  MODE_SENSE_10: 0x5a,
  READ_12: 0xa8,
  SET_CD_SPEED: 0xbb,
  MECHANISM_STATUS: 0xbd,
} as const;

/** Sense key, additional sense code and qualifier (SPC-2, tables "Sense key descriptions", "ASC and ASCQ"). */
export interface Sense {
  readonly key: number;
  readonly code: number;
  readonly qualifier: number;
}

const sense = (key: number, code: number, qualifier = 0): Sense => ({ key, code, qualifier });

/** The sense values that this drive reports. */
export const SENSE = {
  NO_SENSE: sense(0x0, 0x00),
  NOT_READY_MEDIUM_NOT_PRESENT: sense(0x2, 0x3a),
  ILLEGAL_OPERATION_CODE: sense(0x5, 0x20),
  ILLEGAL_BLOCK_ADDRESS: sense(0x5, 0x21),
  ILLEGAL_FIELD_IN_PACKET: sense(0x5, 0x24),
  SAVING_PARAMETERS_NOT_SUPPORTED: sense(0x5, 0x39),
  MEDIUM_REMOVAL_PREVENTED: sense(0x5, 0x53, 0x02),
  ATTENTION_MEDIUM_CHANGED: sense(0x6, 0x28),
  ATTENTION_RESET: sense(0x6, 0x29),
} as const;

/** What a command packet makes the drive do. */
export type PacketReply =
  | { readonly kind: "good" }
  | { readonly kind: "data"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "read"; readonly block: number; readonly blocks: number }
  | { readonly kind: "check"; readonly sense: Sense };

/** The drive as far as its commands look at it and change it. */
export interface PacketUnit {
  /** Blocks on the disc, or 0 without a disc. */
  readonly blocks: number;
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
  sense: Sense;
  /** What TEST UNIT READY must report once, before anything else. */
  attention: Sense | null;
  /** PREVENT MEDIUM REMOVAL is in force. */
  locked: boolean;
  trayOpen: boolean;
  /** A media event that GET EVENT STATUS NOTIFICATION has not reported. */
  mediaEvent: number;
}

/** Media events (MMC-3, table "Media status event codes"). */
export const MEDIA_EVENT = { NONE: 0, EJECT_REQUEST: 1, NEW_MEDIA: 2, MEDIA_REMOVAL: 3 } as const;

/** Profiles (MMC-3, table "Profile list"). */
const PROFILE_NONE = 0x0000;
const PROFILE_CD_ROM = 0x0008;
const PROFILE_DVD_ROM = 0x0010;
/** More blocks than an 80-minute CD has: the disc counts as a DVD. */
const CD_MAX_BLOCKS = 360_000;

const GOOD: PacketReply = { kind: "good" };
const check = (why: Sense): PacketReply => ({ kind: "check", sense: why });
const reply = (bytes: Uint8Array<ArrayBuffer>, allocated: number): PacketReply => {
  const cut = bytes.slice(0, allocated);
  return cut.length > 0 ? { kind: "data", bytes: cut } : GOOD;
};

/** How one operation code is run. */
interface Operation {
  /** Runs although a unit attention is pending (SPC-2, "Unit attention condition"). */
  readonly underAttention?: true;
  /** Needs a disc. */
  readonly needsDisc?: true;
  run(packet: Uint8Array, unit: PacketUnit): PacketReply;
}

const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [PACKET_COMMAND.TEST_UNIT_READY, { needsDisc: true, run: () => GOOD }],
  [PACKET_COMMAND.REQUEST_SENSE, { underAttention: true, run: requestSense }],
  [PACKET_COMMAND.INQUIRY, { underAttention: true, run: inquiry }],
  [PACKET_COMMAND.MODE_SENSE_6, { run: modeSense }],
  [PACKET_COMMAND.MODE_SENSE_10, { run: modeSense }],
  [PACKET_COMMAND.START_STOP_UNIT, { run: startStop }],
  [PACKET_COMMAND.PREVENT_ALLOW_MEDIUM_REMOVAL, { run: preventRemoval }],
  [PACKET_COMMAND.READ_CAPACITY, { needsDisc: true, run: readCapacity }],
  [PACKET_COMMAND.READ_10, { needsDisc: true, run: readBlocks }],
  [PACKET_COMMAND.READ_12, { needsDisc: true, run: readBlocks }],
  [PACKET_COMMAND.SEEK_10, { needsDisc: true, run: seek }],
  [PACKET_COMMAND.READ_TOC, { needsDisc: true, run: readToc }],
  [PACKET_COMMAND.GET_CONFIGURATION, { underAttention: true, run: getConfiguration }],
  [PACKET_COMMAND.GET_EVENT_STATUS_NOTIFICATION, { underAttention: true, run: getEventStatus }],
  [PACKET_COMMAND.READ_DISC_INFORMATION, { needsDisc: true, run: readDiscInformation }],
  [PACKET_COMMAND.SET_CD_SPEED, { run: () => GOOD }],
  [PACKET_COMMAND.MECHANISM_STATUS, { run: mechanismStatus }],
]);

/** Runs one command packet; the sense of a failed command is left in `unit.sense`. */
export function runPacket(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const result = dispatch(packet, unit);
  if (result.kind === "check") unit.sense = result.sense;
  else if (packet[0] !== PACKET_COMMAND.REQUEST_SENSE) unit.sense = SENSE.NO_SENSE;
  return result;
}

function dispatch(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const operation = OPERATIONS.get(packet[0]);
  if (!operation) return check(SENSE.ILLEGAL_OPERATION_CODE);
  if (unit.attention && !operation.underAttention) {
    const attention = unit.attention;
    unit.attention = null;
    return check(attention);
  }
  if (operation.needsDisc && unit.blocks === 0) return check(SENSE.NOT_READY_MEDIUM_NOT_PRESENT);
  return operation.run(packet, unit);
}

function requestSense(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const bytes = new Uint8Array(18);
  let { sense: current } = unit;
  if (current.key === 0 && unit.attention) {
    current = unit.attention;
    unit.attention = null;
  }
  bytes[0] = 0x70;
  bytes[2] = current.key;
  bytes[7] = 10;
  bytes[12] = current.code;
  bytes[13] = current.qualifier;
  unit.sense = SENSE.NO_SENSE;
  return reply(bytes, packet[4]);
}

function inquiry(packet: Uint8Array, unit: PacketUnit): PacketReply {
  if (packet[1] & 1) return check(SENSE.ILLEGAL_FIELD_IN_PACKET); // no vital product data
  const bytes = new Uint8Array(36);
  bytes.set([0x05, 0x80, 0x05, 0x32, 31]); // CD-ROM, removable, SPC-3, ATAPI response format
  ascii(bytes, 8, 8, unit.vendor);
  ascii(bytes, 16, 16, unit.product);
  ascii(bytes, 32, 4, unit.revision);
  return reply(bytes, (packet[3] << 8) | packet[4]);
}

function readCapacity(_packet: Uint8Array, unit: PacketUnit): PacketReply {
  const bytes = new Uint8Array(8);
  put32(bytes, 0, unit.blocks - 1);
  put32(bytes, 4, CD_SECTOR_BYTES);
  return { kind: "data", bytes };
}

function readBlocks(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const block = get32(packet, 2);
  const blocks = packet[0] === PACKET_COMMAND.READ_12
    ? get32(packet, 6)
    : (packet[7] << 8) | packet[8];
  if (block + blocks > unit.blocks) return check(SENSE.ILLEGAL_BLOCK_ADDRESS);
  return blocks === 0 ? GOOD : { kind: "read", block, blocks };
}

function seek(packet: Uint8Array, unit: PacketUnit): PacketReply {
  return get32(packet, 2) < unit.blocks ? GOOD : check(SENSE.ILLEGAL_BLOCK_ADDRESS);
}

function startStop(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const start = (packet[4] & 1) !== 0;
  const loadOrEject = (packet[4] & 2) !== 0;
  if (!loadOrEject) return GOOD;
  if (!start && unit.locked) return check(SENSE.MEDIUM_REMOVAL_PREVENTED);
  const open = !start;
  if (open !== unit.trayOpen) {
    unit.mediaEvent = open ? MEDIA_EVENT.MEDIA_REMOVAL : MEDIA_EVENT.NEW_MEDIA;
    if (!open) unit.attention = SENSE.ATTENTION_MEDIUM_CHANGED;
  }
  unit.trayOpen = open;
  return GOOD;
}

function preventRemoval(packet: Uint8Array, unit: PacketUnit): PacketReply {
  unit.locked = (packet[4] & 1) !== 0;
  return GOOD;
}

/** Formats 0 (tracks) and 1 (sessions): one data track and the lead-out. Old drives keep the format in byte 9. */
function readToc(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const minutesSecondsFrames = (packet[1] & 2) !== 0;
  const format = packet[2] & 0x0f || packet[9] >> 6;
  const startTrack = packet[6];
  const address = (block: number) => minutesSecondsFrames ? toMsf(block) : block;
  const allocated = (packet[7] << 8) | packet[8];
  if (format === 1) {
    return reply(tocOf([{ control: 0x14, track: 1, address: address(0) }]), allocated);
  }
  if (format !== 0 || (startTrack > 1 && startTrack !== LEAD_OUT_TRACK)) {
    return check(SENSE.ILLEGAL_FIELD_IN_PACKET);
  }
  const first = { control: 0x14, track: 1, address: address(0) };
  const leadOut = { control: 0x16, track: LEAD_OUT_TRACK, address: address(unit.blocks) };
  return reply(tocOf(startTrack <= 1 ? [first, leadOut] : [leadOut]), allocated);
}

const LEAD_OUT_TRACK = 0xaa;

interface TocEntry {
  /** ADR and control: 4 is a data track. */
  readonly control: number;
  readonly track: number;
  readonly address: number;
}

function tocOf(entries: readonly TocEntry[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 8 * entries.length);
  put16(bytes, 0, bytes.length - 2);
  bytes[2] = 1;
  bytes[3] = 1;
  entries.forEach(({ control, track, address }, index) => {
    bytes[4 + 8 * index + 1] = control;
    bytes[4 + 8 * index + 2] = track;
    put32(bytes, 4 + 8 * index + 4, address);
  });
  return bytes;
}

/** Block number to minute, second and frame, with the 150 frames of the lead-in. */
function toMsf(block: number): number {
  const frames = block + 150;
  const minutes = Math.floor(frames / (75 * 60));
  return ((minutes & 0xff) << 16) | (Math.floor(frames / 75) % 60 << 8) | frames % 75;
}

/** Profile list, core and removable medium features. */
function getConfiguration(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const current = unit.blocks === 0
    ? PROFILE_NONE
    : unit.blocks > CD_MAX_BLOCKS
    ? PROFILE_DVD_ROM
    : PROFILE_CD_ROM;
  const requested = packet[1] & 3;
  const start = (packet[2] << 8) | packet[3];
  const profile = (number: number) => [number >> 8, number & 0xff, Number(number === current), 0];
  const features: readonly [code: number, bytes: number[]][] = [
    [0x0000, [0, 0, 0x03, 8, ...profile(PROFILE_DVD_ROM), ...profile(PROFILE_CD_ROM)]],
    [0x0001, [0, 1, 0x0b, 8, 0, 0, 0, 2, 1, 0, 0, 0]], // core, ATAPI physical interface
    [0x0003, [0, 3, 0x03, 4, 0x29, 0, 0, 0]], // removable: tray, eject, lock
  ];
  const wanted = features.filter(([code]) => requested === 2 ? code === start : code >= start);
  const bytes = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, ...wanted.flatMap(([, data]) => data)]);
  put32(bytes, 0, bytes.length - 4);
  put16(bytes, 6, current);
  return reply(bytes, (packet[7] << 8) | packet[8]);
}

function getEventStatus(packet: Uint8Array, unit: PacketUnit): PacketReply {
  if (!(packet[1] & 1)) return check(SENSE.ILLEGAL_FIELD_IN_PACKET); // asynchronous
  const media = (packet[4] & 0x10) !== 0;
  const bytes = new Uint8Array(media ? 8 : 4);
  put16(bytes, 0, bytes.length - 2);
  bytes[2] = media ? 0x04 : 0x80;
  bytes[3] = 0x10;
  if (media) {
    bytes[4] = unit.mediaEvent;
    bytes[5] = (unit.trayOpen ? 1 : 0) | (unit.blocks > 0 ? 2 : 0);
  }
  const allocated = (packet[7] << 8) | packet[8];
  if (media && allocated > 4) unit.mediaEvent = MEDIA_EVENT.NONE;
  return reply(bytes, allocated);
}

function readDiscInformation(packet: Uint8Array): PacketReply {
  const bytes = new Uint8Array(34);
  put16(bytes, 0, 32);
  bytes.set([0x0e, 1, 1, 1, 1], 2); // complete disc, complete last session, one session, one track
  return reply(bytes, (packet[7] << 8) | packet[8]);
}

function mechanismStatus(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const bytes = new Uint8Array(8);
  bytes[1] = unit.trayOpen ? 0x10 : 0;
  bytes[5] = 1;
  return reply(bytes, (packet[8] << 8) | packet[9]);
}

/** Pages: read error recovery, CD capabilities; both for MODE SENSE 6 and 10. */
function modeSense(packet: Uint8Array, unit: PacketUnit): PacketReply {
  const control = packet[2] >> 6;
  const page = packet[2] & 0x3f;
  if (control === 3) return check(SENSE.SAVING_PARAMETERS_NOT_SUPPORTED);
  const changeable = control === 1;
  const pages = MODE_PAGES.filter(({ code }) => page === 0x3f || page === code);
  if (pages.length === 0) return check(SENSE.ILLEGAL_FIELD_IN_PACKET);
  const body = pages.flatMap(({ code, data }) => {
    const values = data(unit);
    return [code, values.length, ...(changeable ? values.map(() => 0) : values)];
  });
  const long = packet[0] === PACKET_COMMAND.MODE_SENSE_10;
  const header = new Array<number>(long ? 8 : 4).fill(0);
  const mediumType = unit.trayOpen ? 0x71 : unit.blocks > 0 ? 0x01 : 0x70;
  header[long ? 2 : 1] = mediumType;
  const bytes = new Uint8Array([...header, ...body]);
  if (long) put16(bytes, 0, bytes.length - 2);
  else bytes[0] = bytes.length - 1;
  return reply(bytes, long ? (packet[7] << 8) | packet[8] : packet[4]);
}

interface ModePage {
  readonly code: number;
  data(unit: PacketUnit): number[];
}

const MODE_PAGES: readonly ModePage[] = [
  { code: 0x01, data: () => [0, 5, 0, 0, 0, 0] }, // read error recovery: 5 retries
  {
    code: 0x2a, // CD/DVD capabilities and mechanical status
    data: (unit) => [
      0x3b, // reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R
      0x00, // writes nothing
      0x70, // mode 2 forms 1 and 2, multisession
      0x00,
      0x29 | (unit.locked ? 2 : 0), // tray, eject, lock
      0x00,
      ...[0x02, 0xc2], // 706 KB/s, 4 x
      ...[0x00, 0x02],
      ...[0x02, 0x00], // 512 KB buffer
      ...[0x02, 0xc2],
      ...[0x00, 0x00],
    ],
  },
];

function ascii(bytes: Uint8Array, offset: number, length: number, text: string): void {
  for (let index = 0; index < length; index++) {
    bytes[offset + index] = index < text.length ? text.charCodeAt(index) & 0x7f : 0x20;
  }
}

function put16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

function put32(bytes: Uint8Array, offset: number, value: number): void {
  put16(bytes, offset, value >>> 16);
  put16(bytes, offset + 2, value & 0xffff);
}

function get32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) |
    bytes[offset + 3]) >>> 0;
}
