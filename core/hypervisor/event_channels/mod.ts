/**
 * Event channels: how domains, virtual interrupts and virtual CPUs wake each other. Decoding the
 * hypercall's registers and structures is not here (`core/hypervisor/hypercalls`).
 *
 * ```ts ignore
 * const port = events.allocUnbound(web, DOMID.SELF, dom0);
 * const peer = events.bindInterdomain(dom0, web, port, { consumer: "netback" });
 * events.send(web, port); // netback hears it
 * ```
 */

export * from "./ports.ts";
export { type ChannelStatus, type ConsumerChoice, EventChannels } from "./event_channels.ts";
export type { Binding, Channel } from "./channel.ts";
