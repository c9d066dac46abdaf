/**
 * Grant tables: frames that one domain lets another map, copy or take. Decoding the hypercall is not
 * here (`core/hypervisor/hypercalls`), nor are page tables (the ports map and unmap).
 *
 * ```ts ignore
 * const ring = grants.mapForBackEnd(dom0, web, ref, "write");
 * grants.readGrant(dom0, web, { ref: packet, offset: 64 }, bytes);
 * ```
 */

export * from "./ports.ts";
export {
  GrantTables,
  type MapRequest,
  type MapResult,
  type TableFrames,
  type UnmapRequest,
} from "./grant_tables.ts";
export type { CopyRequest, CopySide, GrantBytes } from "./copies.ts";
export type { GrantMapping } from "./table.ts";
