/**
 * The 64-word EEPROM of the 82540EM, and the two ways to read it: the EERD register, and the Microwire
 * pins in EECD that drivers wiggle themselves (8254x manual, chapter 5 and sections 13.4.3, 13.4.4).
 *
 * @deviation The EEPROM is read-only: Microwire write and erase commands are taken and have no effect.
 */

import { type MacAddress, macBytes } from "../net/addresses.ts";

/** Words of the EEPROM. */
export const EEPROM_WORDS = 64;
/** The sum of all words. */
export const EEPROM_SUM = 0xbaba;

/** Positions of words (table 5-2, "Ethernet Controller Address Map"). */
const WORD = {
  ETHERNET_ADDRESS: 0x00,
  INITIALIZATION_CONTROL_1: 0x0a,
  SUBSYSTEM_ID: 0x0b,
  SUBSYSTEM_VENDOR_ID: 0x0c,
  DEVICE_ID: 0x0d,
  VENDOR_ID: 0x0e,
  INITIALIZATION_CONTROL_2: 0x0f,
  CHECKSUM: 0x3f,
} as const;

/** The image of an EEPROM for a card with address `mac`. */
export function eepromImage(mac: MacAddress): Uint16Array {
  const words = new Uint16Array(EEPROM_WORDS);
  const bytes = macBytes(mac);
  for (let index = 0; index < 3; index++) {
    words[WORD.ETHERNET_ADDRESS + index] = bytes[2 * index] | (bytes[2 * index + 1] << 8);
  }
  words[WORD.INITIALIZATION_CONTROL_1] = 0x400b; // signature 01, loads the subsystem and device ids
  words[WORD.SUBSYSTEM_ID] = 0x001e;
  words[WORD.SUBSYSTEM_VENDOR_ID] = 0x8086;
  words[WORD.DEVICE_ID] = 0x100e;
  words[WORD.VENDOR_ID] = 0x8086;
  words[WORD.INITIALIZATION_CONTROL_2] = 0x3000; // symmetric PAUSE
  const sum = words.reduce((total, word) => total + word, 0);
  words[WORD.CHECKSUM] = EEPROM_SUM - sum;
  return words;
}

/** Bits of EERD. */
export const EERD = { START: 0x01, DONE: 0x10 } as const;

/** What EERD reads after `written` was stored: the word, and DONE. */
export function eerdRead(image: Uint16Array, written: number): number {
  if (!(written & EERD.START)) return (written & ~EERD.DONE) >>> 0;
  const address = (written >>> 8) & 0xff;
  const word = image[address] ?? 0xffff;
  return ((word << 16) | (address << 8) | EERD.DONE) >>> 0;
}

/** Bits of EECD. */
export const EECD = {
  /** Clock. */
  SK: 0x01,
  /** Chip select. */
  CS: 0x02,
  /** Data to the EEPROM. */
  DI: 0x04,
  /** Data from the EEPROM. */
  DO: 0x08,
  /** Flash write enable control. */
  FWE: 0x30,
  /** Software asks for the pins. */
  REQ: 0x40,
  /** They are granted. */
  GNT: 0x80,
  PRES: 0x100,
} as const;

/** Start bit and the two bits of READ. */
const COMMAND_BITS = 3;
const READ = 0b110;
const ADDRESS_BITS = 6;

/** What the Microwire part remembers between clock edges. */
export interface MicrowireState {
  /** The pins and FWE as software wrote them. */
  pins: number;
  /** Bits shifted in since chip select, from the start bit on, and how many. */
  shiftedIn: number;
  bitsIn: number;
  /** Bits to shift out; the next is bit 15. */
  shiftedOut: number;
  dataOut: boolean;
}

/** The part after power-on. */
export function microwireReset(): MicrowireState {
  return { pins: EECD.FWE & 0x10, shiftedIn: 0, bitsIn: 0, shiftedOut: 0, dataOut: true };
}

/** Software stored `value` in EECD. */
export function writeEecd(state: MicrowireState, image: Uint16Array, value: number): void {
  const rising = (value & EECD.SK) !== 0 && (state.pins & EECD.SK) === 0;
  state.pins = value & (EECD.SK | EECD.CS | EECD.DI | EECD.FWE | EECD.REQ);
  if (!(value & EECD.CS)) {
    state.shiftedIn = 0;
    state.bitsIn = 0;
    state.dataOut = true;
  } else if (rising) clockMicrowire(state, image, (value & EECD.DI) !== 0);
}

/** What EECD reads. */
export function readEecd(state: MicrowireState): number {
  const granted = state.pins & EECD.REQ ? EECD.GNT : 0;
  return state.pins | granted | EECD.PRES | (state.dataOut ? EECD.DO : 0);
}

function clockMicrowire(state: MicrowireState, image: Uint16Array, dataIn: boolean): void {
  if (state.bitsIn < COMMAND_BITS + ADDRESS_BITS) {
    if (state.bitsIn === 0 && !dataIn) return; // no start bit yet
    state.shiftedIn = (state.shiftedIn << 1) | Number(dataIn);
    state.bitsIn++;
    if (state.bitsIn < COMMAND_BITS + ADDRESS_BITS) return;
    if (state.shiftedIn >> ADDRESS_BITS !== READ) return;
    state.shiftedOut = image[state.shiftedIn & (EEPROM_WORDS - 1)];
    state.dataOut = false; // the dummy bit before the data
    return;
  }
  if (state.shiftedIn >> ADDRESS_BITS !== READ) return;
  state.dataOut = (state.shiftedOut & 0x8000) !== 0;
  state.shiftedOut = (state.shiftedOut << 1) & 0xffff;
}
