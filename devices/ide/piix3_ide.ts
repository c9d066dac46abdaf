/**
 * The PIIX3's IDE function (82371SB, function 1): two legacy channels, and their bus masters in BAR 4.
 *
 * Wiring: `const ide = new Piix3Ide({ clock, dma, irqs: [irq14, irq15], drives: [[disk, null], [cdrom, null]] })`,
 * `bus.plug(1, 1, ide)`, `ide.attachLegacy(ports)`.
 *
 * Source: 82371FB/82371SB (PIIX/PIIX3) data sheet, "PCI Configuration Registers, Function 1".
 */

import type { Clock } from "../../core/clock/clock.ts";
import type { DmaBus, IrqLine, PortBus, PortDevice } from "../../core/memory/ports.ts";
import { expectRecord, type SnapshotRecord } from "../../core/lib/snapshot.ts";
import type { PciRegister } from "../pci/config_space.ts";
import { PCI_COMMAND, PciFunction } from "../pci/pci_function.ts";
import { BusMasterChannel } from "./bus_master.ts";
import { IdeChannel, LEGACY_CHANNELS } from "./ide_channel.ts";
import { type DriveDelays, nested, type TaskFileDrive } from "./task_file_drive.ts";

/** Positions of the IDE timing registers. */
export const IDETIM = [0x40, 0x42] as const;
/** Bit of IDETIM: the channel decodes its ports. */
export const IDETIM_DECODE_ENABLE = 0x8000;

const REGISTERS: readonly PciRegister[] = [
  { offset: 0x40, sizeBytes: 2, name: "IDETIM primary", reset: 0, writable: 0xffff },
  { offset: 0x42, sizeBytes: 2, name: "IDETIM secondary", reset: 0, writable: 0xffff },
  { offset: 0x44, sizeBytes: 1, name: "SIDETIM", reset: 0, writable: 0xff },
];

/** The drives of one channel: device 0 and device 1. */
export type ChannelDrives = readonly [TaskFileDrive | null, TaskFileDrive | null];

/** What the function needs of its machine. */
export interface Piix3IdeOptions {
  readonly clock: Clock;
  readonly dma: DmaBus;
  /** ISA interrupts 14 and 15. */
  readonly irqs: readonly [IrqLine, IrqLine];
  /** Primary and secondary channel. */
  readonly drives: readonly [ChannelDrives, ChannelDrives];
  readonly delays?: Partial<DriveDelays>;
}

/** The PIIX3's IDE function, 8086:7010, for function 1 of slot 1. */
export class Piix3Ide extends PciFunction {
  readonly channels: readonly [IdeChannel, IdeChannel];
  readonly busMasters: readonly [BusMasterChannel, BusMasterChannel];

  constructor(options: Piix3IdeOptions) {
    const mayMaster = { now: () => true };
    const masters = [0, 1].map(() => new BusMasterChannel(options.dma, () => mayMaster.now()));
    super({
      name: "piix3ide",
      vendorId: 0x8086,
      deviceId: 0x7010,
      classCode: 0x010180, // IDE, legacy mode only, bus master
      commandWritable: PCI_COMMAND.ioSpace | PCI_COMMAND.busMaster,
      registers: REGISTERS,
      bars: [{
        index: 4,
        kind: "io",
        sizeBytes: 16,
        name: "IDE bus master",
        device: bothMasters(masters),
      }],
    });
    mayMaster.now = () => this.busMasterEnabled;
    this.busMasters = [masters[0], masters[1]];
    const channel = (index: 0 | 1) =>
      new IdeChannel({
        name: LEGACY_CHANNELS[index].name,
        clock: options.clock,
        irq: options.irqs[index],
        dma: masters[index],
        drives: options.drives[index],
        delays: options.delays,
      });
    this.channels = [channel(0), channel(1)];
    this.configWritten();
  }

  /** Claims ports 1F0h-1F7h, 3F6h, 170h-177h and 376h; they answer while IDETIM and I/O space are enabled. */
  attachLegacy(ports: PortBus): void {
    this.channels.forEach((channel, index) => {
      const { commandBlock, controlBlock } = LEGACY_CHANNELS[index];
      channel.attach(ports, commandBlock, controlBlock);
    });
  }

  /** What firmware does before it looks for drives: switches I/O, bus mastering and both channels on. */
  enable(): void {
    this.writeConfig(0x04, 2, PCI_COMMAND.ioSpace | PCI_COMMAND.busMaster);
    for (const register of IDETIM) this.writeConfig(register, 2, IDETIM_DECODE_ENABLE);
  }

  override reset(): void {
    for (const channel of this.channels) channel.reset();
    super.reset();
  }

  override save(): SnapshotRecord {
    return {
      kind: "piix3ide",
      version: 1,
      state: {
        pci: nested(super.save()),
        channels: this.channels.map((channel) => nested(channel.save())),
        busMasters: this.busMasters.map((master) => nested(master.save())),
      },
    };
  }

  override restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "piix3ide", 1);
    super.restore(state.pci as unknown as SnapshotRecord);
    const records = (value: unknown) => value as readonly SnapshotRecord[];
    this.channels.forEach((one, index) => one.restore(records(state.channels)[index]));
    this.busMasters.forEach((one, index) => one.restore(records(state.busMasters)[index]));
  }

  protected override configWritten(): void {
    const ioSpace = (this.command & PCI_COMMAND.ioSpace) !== 0;
    this.channels.forEach((channel, index) => {
      const timing = this.config.read(IDETIM[index], 2);
      channel.decodeEnabled = ioSpace && (timing & IDETIM_DECODE_ENABLE) !== 0;
    });
  }
}

/** BAR 4: eight ports for the primary channel, eight for the secondary. */
function bothMasters(masters: readonly BusMasterChannel[]): PortDevice {
  return {
    readPort: (port, size) => masters[port >> 3].readPort(port & 7, size),
    writePort: (port, size, value) => masters[port >> 3].writePort(port & 7, size, value),
  };
}
