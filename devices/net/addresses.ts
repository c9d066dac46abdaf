/** MAC and IPv4 addresses: branded numbers, and how they are written and laid out in frames. */

import type { Brand } from "../../core/lib/brand.ts";

/** An Ethernet address as a number below 2^48; the first byte on the wire is the highest. */
export type MacAddress = Brand<number, "MacAddress">;
/** An IPv4 address as a number below 2^32; the first byte on the wire is the highest. */
export type Ipv4Address = Brand<number, "Ipv4Address">;

/** ff:ff:ff:ff:ff:ff. */
export const BROADCAST_MAC = 0xffffffffffff as MacAddress;
/** 255.255.255.255. */
export const BROADCAST_IPV4 = 0xffffffff as Ipv4Address;

/** Reads `52:54:00:12:34:56`; throws `SyntaxError` on anything else. */
export function parseMac(text: string): MacAddress {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new SyntaxError(`expected a MAC address like 52:54:00:12:34:56, found "${text}"`);
  }
  return parseInt(text.replaceAll(":", ""), 16) as MacAddress;
}

/** Writes a MAC address as `52:54:00:12:34:56`. */
export function formatMac(mac: MacAddress): string {
  return mac.toString(16).padStart(12, "0").match(/../g)!.join(":");
}

/** Reads `192.168.0.1`; throws `SyntaxError` on anything else. */
export function parseIpv4(text: string): Ipv4Address {
  const parts = text.split(".");
  const valid = parts.length === 4 &&
    parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
  if (!valid) throw new SyntaxError(`expected an IPv4 address like 192.168.0.1, found "${text}"`);
  return parts.reduce((value, part) => value * 256 + Number(part), 0) as Ipv4Address;
}

/** Writes an IPv4 address as `192.168.0.1`. */
export function formatIpv4(address: Ipv4Address): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join(".");
}

/** The MAC address at `offset` of a frame. */
export function macAt(frame: Uint8Array, offset: number): MacAddress {
  let value = 0;
  for (let byte = 0; byte < 6; byte++) value = value * 256 + frame[offset + byte];
  return value as MacAddress;
}

/** The six bytes of `mac`, first on the wire first. */
export function macBytes(mac: MacAddress): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(6);
  let rest: number = mac;
  for (let byte = 5; byte >= 0; byte--) {
    bytes[byte] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** Whether `mac` names a group (multicast or broadcast). */
export function isGroup(mac: MacAddress): boolean {
  return Math.floor(mac / 2 ** 40) % 2 === 1;
}
