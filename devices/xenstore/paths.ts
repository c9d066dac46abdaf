/**
 * Paths of XenStore: which are allowed, and what a relative one stands for.
 *
 * Source: `docs/misc/xenstore.txt` of Xen, "Access paths"; limits of `io/xs_wire.h`.
 */

import type { DomainId } from "../../core/abi/ids.ts";
import { XENSTORE_LIMITS } from "../../core/abi/io/xs_wire.ts";
import { type StoreError, storeError } from "./store_error.ts";

/** A path that begins with `/`, has no empty parts, and does not end with `/` unless it is `/`. */
export type StorePath = string;

/** Names of watches that no node stands behind. */
export const SPECIAL_WATCHES: readonly string[] = ["@introduceDomain", "@releaseDomain"];

const ALLOWED = /^[A-Za-z0-9\-/_@]+$/;

/** The home of a domain: relative paths start there. */
export function domainPath(domain: DomainId): StorePath {
  return `/local/domain/${domain}`;
}

/** The absolute path that `path`, as `domain` wrote it, stands for. */
export function canonicalPath(path: string, domain: DomainId): StorePath | StoreError {
  const absolute = path.startsWith("/");
  const limit = absolute ? XENSTORE_LIMITS.absolutePath : XENSTORE_LIMITS.relativePath;
  const malformed = path.length > limit || !ALLOWED.test(path) || path.includes("//") ||
    (path.length > 1 && path.endsWith("/")) || path.startsWith("@");
  if (malformed) return storeError("EINVAL");
  return absolute ? path : `${domainPath(domain)}/${path}`;
}

/** The parts of an absolute path; none for `/`. */
export function partsOf(path: StorePath): string[] {
  return path === "/" ? [] : path.slice(1).split("/");
}

/** The parent of a path that is not `/`. */
export function parentOf(path: StorePath): StorePath {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}

/** Whether `path` is `ancestor` or lies below it. */
export function isWithin(path: StorePath, ancestor: StorePath): boolean {
  return path === ancestor || ancestor === "/" || path.startsWith(`${ancestor}/`);
}
