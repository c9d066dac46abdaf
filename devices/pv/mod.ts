/**
 * Paravirtual devices, from the back end's side: console, disk, network card, the XenBus handshake, and
 * the task of a driver domain that runs them. Front ends are the guest's; rings, `devices/rings`; the
 * store that both halves meet in, `devices/xenstore`.
 *
 * ```ts ignore
 * const driver = new NetBackEnd({ host, frontDomain, name: "netback.1.0", clock, port, wake });
 * const vif = new XenbusDevice({ store, domain, path, driver, wake });
 * const wake = service.add("netback.1.0", vif);
 * ```
 */

export { BACK_ENDS, backEndProgram, BackEndService } from "./back_end_service.ts";
export type { BackEndHost } from "./back_end_ports.ts";
export * from "./blkback/mod.ts";
export * from "./console/mod.ts";
export * from "./netback/mod.ts";
export {
  type BackEndDriver,
  type FrontNodes,
  type Nodes,
  XenbusDevice,
  type XenbusDeviceOptions,
} from "./xenbus_device.ts";
