/**
 * XenStore: the store, its connections, its wire protocol over a shared page. What tools and drivers
 * write there (a domain's home, a device's halves) is not here.
 *
 * ```ts ignore
 * const store = new XenStore();
 * const tools = store.open(domainId(0));
 * tools.write("/local/domain/1/name", "web1");
 * tools.watch("/local/domain/1", "token");
 * ```
 */

export { DEFAULT_QUOTAS, type StoreQuotas, XenStore } from "./xenstore.ts";
export type { SessionOptions, StoreSession, Watch, WatchEvent } from "./session.ts";
export { RingConnection, type RingConnectionPorts } from "./ring_connection.ts";
export { StoreError, type StoreErrorName } from "./store_error.ts";
export type { Access, Permission, Permissions } from "./permissions.ts";
export { domainPath, type StorePath } from "./paths.ts";
