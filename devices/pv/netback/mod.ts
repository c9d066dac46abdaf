/**
 * The network back end (`vif`). Its front end is the guest's (`xen-netfront` in Linux); the bridge is
 * `devices/net`'s.
 *
 * ```ts ignore
 * const port = bridge.attach("vif1.0");
 * const driver = new NetBackEnd({ host, frontDomain, name: "netback.1.0", clock, port, wake });
 * const vif = new XenbusDevice({ store, domain, path, driver, wake });
 * ```
 */

export * from "./netback.ts";
export * from "./reference_netback.ts";
export { parseRate, type Rate } from "./rate_limit.ts";
