/**
 * Who may do what with a node: `n0` or `b5,r3,...`, where the first entry names the owner and what all
 * others may do, and each further one what a certain domain may do.
 *
 * Source: `docs/misc/xenstore.txt` of Xen, "Permissions".
 */

import type { DomainId } from "../../core/abi/ids.ts";

/** What a domain may do: nothing, read, write, both. */
export type Access = "n" | "r" | "w" | "b";

/** One entry of a node's permissions. */
export interface Permission {
  readonly domain: DomainId;
  readonly access: Access;
}

/** Permissions of a node; the first entry is the owner's. Never empty. */
export type Permissions = readonly [Permission, ...Permission[]];

const GRANTS: Readonly<Record<Access, readonly ("read" | "write")[]>> = {
  n: [],
  r: ["read"],
  w: ["write"],
  b: ["read", "write"],
};

/** Reads `r5`; `null` if it is none. */
export function parsePermission(text: string): Permission | null {
  const match = /^([nrwb])(\d{1,5})$/.exec(text);
  if (!match || Number(match[2]) > 0x7fff) return null;
  return { access: match[1] as Access, domain: Number(match[2]) as DomainId };
}

/** Writes a permission as `r5`. */
export function formatPermission({ access, domain }: Permission): string {
  return `${access}${domain}`;
}

/** Whether a domain that is not privileged may read or write a node. */
export function permits(
  permissions: Permissions,
  domain: DomainId,
  access: "read" | "write",
): boolean {
  const [owner, ...others] = permissions;
  if (owner.domain === domain) return true;
  const entry = others.find((each) => each.domain === domain) ?? owner;
  return GRANTS[entry.access].includes(access);
}
