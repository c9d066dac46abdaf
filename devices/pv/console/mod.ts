/**
 * The paravirtual console's back end. The front end is the guest's (`hvc0` in Linux).
 *
 * ```ts ignore
 * const hvc = new ConsoleBackEnd({ memory, frame, output: (bytes) => log.push(bytes), notify });
 * hvc.send(new Uint8Array([0x0d]));
 * hvc.step();
 * ```
 */

export * from "./console_back_end.ts";
