/** The chips on the board's ISA side, at their usual ports and interrupts. */

import type { MmioBus } from "../../core/memory/ports.ts";
import { AcpiDevice, sciIrq } from "../acpi/mod.ts";
import {
  attachDebugExit,
  DebugConsole,
  debugConsolePort,
  Port92,
  PostPort,
} from "../debug_ports/mod.ts";
import { HpetDevice } from "../hpet/mod.ts";
import { A20Gate, KeyboardController } from "../i8042/mod.ts";
import { PitDevice } from "../pit8254/mod.ts";
import { RtcDevice } from "../rtc/mod.ts";
import { COM1, COM2, SerialPort, type SerialPortOptions } from "../uart16550/mod.ts";
import type { BoardWiring } from "./board_options.ts";
import type { IrqWiring } from "./irq_wiring.ts";
import { boardSetup } from "./machine_description.ts";

/** The ISA side. */
export interface IsaDevices {
  readonly hpet: HpetDevice;
  readonly pit: PitDevice;
  readonly rtc: RtcDevice;
  readonly gate: A20Gate;
  readonly keyboard: KeyboardController;
  readonly port92: Port92;
  readonly com1: SerialPort;
  readonly com2: SerialPort;
  readonly post: PostPort;
  /** SeaBIOS's debug console and Bochs's. */
  readonly debugConsoles: readonly [DebugConsole, DebugConsole];
  readonly acpi: AcpiDevice;
}

/** ISA interrupts that have one owner; the names are those under which ports are claimed. */
const IRQ = {
  timer: { irq: 0, name: "pit8254" },
  keyboard: { irq: 1, name: "8042 data" },
  rtc: { irq: 8, name: "mc146818" },
  sci: { irq: sciIrq, name: "ACPI power management" },
  mouse: { irq: 12, name: "8042 data" },
} as const;

/** I/O APIC inputs for the HPET's timers, as on chipsets of Intel's ICH family. */
const HPET_IRQS = [20, 21, 22, 23] as const;

/** Plugs the ISA side in; memory-mapped registers go to `mmio`. */
export function plugIsaDevices(
  wiring: BoardWiring,
  wires: IrqWiring,
  mmio: MmioBus,
): IsaDevices {
  const { clock, ports, power, options } = wiring;
  const line = ({ irq, name }: { irq: number; name: string }) => wires.driver(irq, name);
  // The 8254 and the RTC reach their wires through the HPET, which may take their place.
  const hpet = new HpetDevice({
    clock,
    memory: mmio,
    irq0: line(IRQ.timer),
    irq8: line(IRQ.rtc),
    inputs: new Map(HPET_IRQS.map((irq) => [irq, wires.driver(irq, "hpet")])),
  });
  const rtc = new RtcDevice({
    clock,
    ports,
    irq8: hpet.legacyInput(8),
    date: options.date,
    setup: boardSetup(options),
  });
  const gate = new A20Gate((open) => wiring.onA20(open));
  const serial = (com: typeof COM1 | typeof COM2, transmit: SerialPortOptions["transmit"]) =>
    new SerialPort({ ...com, clock, transmit }, ports, line(com));
  const print = options.debugConsole ?? ignore;
  attachDebugExit(ports, power);
  return {
    hpet,
    pit: new PitDevice({ clock, ports, irq0: hpet.legacyInput(0) }),
    rtc,
    gate,
    keyboard: new KeyboardController({
      ports,
      clock,
      irq1: line(IRQ.keyboard),
      irq12: line(IRQ.mouse),
      gate,
      reset: () => power.reset(),
    }),
    port92: new Port92({ ports, power, onA20: (open) => gate.setSource("portA", open) }),
    com1: serial(COM1, options.com1),
    com2: serial(COM2, options.com2 ?? ignore),
    post: new PostPort(ports),
    debugConsoles: [
      new DebugConsole(ports, debugConsolePort.seabios, print),
      new DebugConsole(ports, debugConsolePort.bochs, print),
    ],
    // Where the registers are is up to the PIIX4's PCI function.
    acpi: new AcpiDevice({ clock, ports, sci: line(IRQ.sci), power, pmBase: null }),
  };
}

function ignore(): void {}
