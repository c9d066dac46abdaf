/**
 * One client of GDB's remote protocol, and the machine that it drives.
 *
 * Packets are answered one after the other; while the machine runs only an interrupt is looked at. What a client sends
 * that is not understood gets an empty answer or an error, and changes nothing. Source: "Debugging with GDB", "Packets",
 * "Stop Reply Packets", "General Query Packets".
 */

import type { DebugTarget, RunOptions, StopReason, TimeTravel } from "../machine_api.ts";
import type { MachineDebugger } from "../debugger/machine_debugger.ts";
import { fromHex, hexNumber, PACKET_BYTES, PacketReader, toHex, writePacket } from "./packets.ts";
import { ARCHITECTURES, type GdbArchitecture, type GdbRegister, targetXml } from "./registers.ts";
import { ClientStops } from "./stops.ts";

/** What a session works on. */
export interface SessionParts {
  readonly machine: DebugTarget;
  /** Goes back; `null` for what has no past. */
  readonly past: TimeTravel | null;
  readonly debugger: MachineDebugger;
  /** Bounds of each run besides the client's stops. */
  readonly runOptions: RunOptions;
  /** Sends bytes to the client. */
  send(bytes: Uint8Array): void;
  /** Carries out a `monitor` command; returns what to print. Throws an error that says what would be right. */
  monitor(line: string): Promise<string>;
  /** The machine has ended. */
  ended(stop: StopReason): void;
}

/** How a session ended. */
export type SessionEnd = "detached" | "killed";

const OK = "OK";
const MALFORMED = "E01";
const FAILED = "E02";
const NOT_MAPPED = "E14";
/** Packets that may wait while the machine runs, and those that are answered in a row. */
const MAX_WAITING = 64;
const SUPPORTED = `PacketSize=${PACKET_BYTES.toString(16)};qXfer:features:read+;` +
  "QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+";
const SUPPORTED_BACKWARDS = ";ReverseStep+;ReverseContinue+";
/** Stops behind which the machine does not go on. */
const ENDS: readonly StopReason["kind"][] = ["powerOff", "exit", "marker"];

const Signal = { interrupt: "02", trap: "05", abort: "06" } as const;

/** A client's session. */
export class GdbSession {
  readonly #parts: SessionParts;
  readonly #stops: ClientStops;
  readonly #reader = new PacketReader();
  readonly #architecture: GdbArchitecture;
  readonly #waiting: string[] = [];
  #acknowledges = true;
  #busy = false;
  #running = false;
  #lastSent: Uint8Array | null = null;
  #lastStop = `T${Signal.trap}thread:1;`;
  /** The CPU that register and step packets mean. */
  #cpu = 0;
  /** Where the last run ended behind a watched store: going back undoes that store first. */
  #watchedAt: number | null = null;
  end: SessionEnd | null = null;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#stops = new ClientStops(parts.debugger.list);
    this.#architecture = ARCHITECTURES[parts.debugger.bits];
  }

  /** Takes what the client sent. Throws `RangeError` if it floods a running machine with packets. */
  async receive(bytes: Uint8Array): Promise<void> {
    for (const received of this.#reader.read(bytes)) {
      switch (received.kind) {
        case "interrupt":
          this.#parts.machine.interrupt();
          break;
        case "bad":
          if (this.#acknowledges) this.#parts.send(Uint8Array.of(0x2d));
          break;
        case "refused":
          if (this.#acknowledges && this.#lastSent) this.#parts.send(this.#lastSent);
          break;
        case "acknowledged":
          break;
        case "packet":
          if (this.#acknowledges) this.#parts.send(Uint8Array.of(0x2b));
          if (this.#waiting.length >= MAX_WAITING) {
            throw new RangeError(`the client sent ${MAX_WAITING} packets without waiting`);
          }
          this.#waiting.push(received.data);
          break;
      }
    }
    await this.#answerAll();
  }

  /** Ends the session: the machine stops if it runs, and keeps nothing of the client. */
  close(): void {
    this.end ??= "detached";
    if (this.#running) this.#parts.machine.interrupt();
    this.#stops.clear();
  }

  async #answerAll(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#waiting.length > 0 && this.end === null) {
        const reply = await this.#answer(this.#waiting.shift()!);
        if (reply !== null && this.end !== "killed") this.#reply(reply);
      }
    } finally {
      this.#busy = false;
    }
  }

  #reply(data: string): void {
    this.#lastSent = writePacket(data);
    this.#parts.send(this.#lastSent);
  }

  async #answer(packet: string): Promise<string | null> {
    try {
      return await this.#dispatch(packet);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return `E.${text.replaceAll(/[^ -~]/g, " ")}`;
    }
  }

  async #dispatch(packet: string): Promise<string | null> {
    const rest = packet.slice(1);
    switch (packet[0]) {
      case "?":
        return this.#lastStop;
      case "g":
        return toHex(this.#allRegisters());
      case "p":
        return this.#oneRegister(rest);
      case "G":
        return this.#setAllRegisters(rest);
      case "P":
        return this.#setRegister(rest);
      case "M":
        return this.#setMemory(rest);
      case "m":
        return this.#memory(rest);
      case "Z":
      case "z":
        return this.#stopChange(packet[0] === "Z", rest);
      case "H":
        return this.#selectCpu(rest);
      case "T":
        return this.#cpuOf(rest) === null ? MALFORMED : OK;
      case "c":
      case "C":
        return await this.#resume(null);
      case "s":
      case "S":
        return await this.#resume(this.#cpu);
      case "b":
        return await this.#back(rest);
      case "v":
        return await this.#multi(packet);
      case "q":
      case "Q":
        return await this.#query(packet);
      case "D":
        this.#reply(OK);
        this.close();
        return null;
      case "k":
        this.end = "killed";
        this.close();
        return null;
      default:
        return "";
    }
  }

  // ---- registers and memory ----

  #allRegisters(): Uint8Array {
    const cpu = this.#parts.debugger.cpu(this.#cpu);
    const values = this.#architecture.registers.map((register) => register.read(cpu));
    const all = new Uint8Array(values.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const value of values) {
      all.set(value, at);
      at += value.length;
    }
    return all;
  }

  #oneRegister(digits: string): string {
    const number = hexNumber(digits);
    const register = number === null ? undefined : this.#architecture.registers[Number(number)];
    return register ? toHex(register.read(this.#parts.debugger.cpu(this.#cpu))) : MALFORMED;
  }

  #setRegister(assignment: string): string {
    const [digits, hex] = assignment.split("=");
    const number = hexNumber(digits);
    const register = number === null ? undefined : this.#architecture.registers[Number(number)];
    const bytes = fromHex(hex ?? "");
    if (!register || bytes?.length !== register.bits / 8) return MALFORMED;
    return this.#set(register, bytes);
  }

  /** Sets those that differ; none if one of them cannot be set. */
  #setAllRegisters(hex: string): string {
    const bytes = fromHex(hex);
    const before = this.#allRegisters();
    if (bytes?.length !== before.length) return MALFORMED;
    const changed: [register: GdbRegister, bytes: Uint8Array][] = [];
    let at = 0;
    for (const register of this.#architecture.registers) {
      const end = at + register.bits / 8;
      const part = bytes.subarray(at, end);
      if (part.some((byte, i) => byte !== before[at + i])) changed.push([register, part]);
      at = end;
    }
    if (changed.some(([{ field }]) => field === undefined)) return FAILED;
    for (const [register, part] of changed) this.#set(register, part);
    return OK;
  }

  #set({ field }: GdbRegister, bytes: Uint8Array): string {
    if (field === undefined) return FAILED;
    const value = bytes.reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n);
    this.#parts.machine.change.register(this.#cpu, field, value);
    return OK;
  }

  #setMemory(assignment: string): string {
    const [place, hex] = assignment.split(":");
    const [address, length] = place.split(",").map(hexNumber);
    const bytes = fromHex(hex ?? "");
    if (address == null || bytes === null || bytes.length !== Number(length)) return MALFORMED;
    if (
      this.#parts.machine.memory.readLinear(this.#cpu, address, bytes.length).length < bytes.length
    ) {
      return NOT_MAPPED;
    }
    this.#parts.machine.change.linear(this.#cpu, address, bytes);
    return OK;
  }

  #memory(place: string): string {
    const [address, length] = place.split(",").map(hexNumber);
    if (address == null || length == null) return MALFORMED;
    const bytes = Math.min(Number(length), PACKET_BYTES / 2);
    const found = this.#parts.machine.memory.readLinear(this.#cpu, address, bytes);
    return found.length === 0 && bytes > 0 ? NOT_MAPPED : toHex(found);
  }

  #stopChange(insert: boolean, text: string): string {
    // Conditions and commands that the stub is not asked to evaluate may follow behind a semicolon.
    const [kind, address, length] = text.split(";")[0].split(",");
    const [at, bytes] = [hexNumber(address), hexNumber(length)];
    if (at === null || bytes === null || bytes < 1n || bytes > 4096n) return MALFORMED;
    return this.#stops.change(insert, kind, at, Number(bytes)) === null ? "" : OK;
  }

  // ---- CPUs as threads: CPU 0 is thread 1 ----

  #cpuOf(thread: string): number | null {
    if (thread === "-1" || thread === "0") return this.#cpu;
    const number = hexNumber(thread);
    const index = number === null ? -1 : Number(number) - 1;
    return this.#parts.machine.cpus[index] ? index : null;
  }

  #selectCpu(text: string): string {
    const cpu = this.#cpuOf(text.slice(1));
    if (cpu === null) return MALFORMED;
    this.#cpu = cpu;
    return OK;
  }

  // ---- running ----

  async #multi(packet: string): Promise<string | null> {
    if (packet === "vCont?") return "vCont;c;C;s;S";
    if (!packet.startsWith("vCont;")) return "";
    const actions = packet.slice("vCont;".length).split(";");
    for (const action of actions) {
      const [what, thread] = action.split(":");
      if (!/^[sS]/.test(what)) continue;
      const cpu = thread === undefined ? this.#cpu : this.#cpuOf(thread);
      return cpu === null ? MALFORMED : await this.#resume(cpu);
    }
    return actions.some((action) => /^[cC]/.test(action)) ? await this.#resume(null) : MALFORMED;
  }

  /** Runs until the next stop, or carries one CPU one instruction on. */
  async #resume(stepped: number | null): Promise<string> {
    this.#stops.apply(stepped !== null);
    return await this.#run(async () => {
      const { machine, debugger: watcher, runOptions } = this.#parts;
      for (;;) {
        const stop = stepped === null
          ? await machine.run(runOptions)
          : await watcher.stepInto(stepped, runOptions);
        const isStale = stop.kind === "breakpoint" &&
          !stop.hits.some((hit) => this.#stops.isWanted(hit));
        if (!isStale) return this.#stopReply(stop, stepped);
      }
    });
  }

  /** Goes back by one instruction, or to where a run would have stopped before. */
  async #back(how: string): Promise<string> {
    const { machine, past } = this.#parts;
    if (past === null || (how !== "s" && how !== "c")) return "";
    const isStep = how === "s";
    this.#stops.apply(isStep);
    const undoes = this.#watchedAt === machine.now ? this.#lastStop : null;
    return await this.#run(async () => {
      if (isStep || undoes !== null) {
        await past.reverseStep(1, this.#cpu);
        return this.#stopped(undoes ?? `T${Signal.trap}${this.#thread(this.#cpu)}`);
      }
      const stop = await past.reverseContinue();
      if (stop.kind === "limit") return this.#stopped(`T${Signal.trap}replaylog:begin;`);
      const reply = this.#stopReply(stop, null);
      // Going back, a store has happened until it is undone.
      if (this.#watchedAt !== null) await past.reverseStep(1, this.#cpu);
      this.#watchedAt = null;
      return reply;
    });
  }

  async #run(work: () => Promise<string>): Promise<string> {
    this.#running = true;
    this.#watchedAt = null;
    try {
      return await work();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#print(`${text}\n`);
      return this.#stopped(`T${Signal.trap}${this.#thread(this.#cpu)}`);
    } finally {
      this.#running = false;
    }
  }

  #stopReply(stop: StopReason, stepped: number | null): string {
    if (ENDS.includes(stop.kind)) {
      this.#parts.ended(stop);
      const code = stop.kind === "exit" ? stop.code & 0xff : 0;
      return this.#stopped(`W${code.toString(16).padStart(2, "0")}`);
    }
    if (stop.kind === "aborted") {
      return this.#stopped(`T${Signal.interrupt}${this.#thread(this.#cpu)}`);
    }
    if (stop.kind === "breakpoint") {
      this.#cpu = stop.cpu;
      const wanted = stop.hits.filter((hit) => this.#stops.isWanted(hit));
      const watched = wanted.find(({ condition }) => condition.kind === "watch");
      this.#watchedAt = watched ? this.#parts.machine.now : null;
      const reason = this.#stops.reason(watched ?? wanted[0]);
      return this.#stopped(`T${Signal.trap}${this.#thread(stop.cpu)}${reason}`);
    }
    if (stop.kind === "limit" && stepped !== null) {
      return this.#stopped(`T${Signal.trap}${this.#thread(stepped)}`);
    }
    this.#parts.ended(stop);
    return this.#stopped(`T${Signal.abort}${this.#thread(this.#cpu)}`);
  }

  #stopped(reply: string): string {
    return this.#lastStop = reply;
  }

  #thread(cpu: number): string {
    return `thread:${(cpu + 1).toString(16)};`;
  }

  /** Prints on the client's console, which listens while the machine runs. */
  #print(text: string): void {
    this.#parts.send(writePacket(`O${toHex(new TextEncoder().encode(text))}`));
  }

  // ---- queries ----

  async #query(packet: string): Promise<string> {
    const [name] = packet.split(/[:,]/);
    switch (name) {
      case "qSupported":
        return this.#parts.past === null ? SUPPORTED : SUPPORTED + SUPPORTED_BACKWARDS;
      case "QStartNoAckMode":
        this.#acknowledges = false;
        return OK;
      case "qAttached":
        return "1";
      case "qC":
        return `QC${(this.#cpu + 1).toString(16)}`;
      case "qfThreadInfo":
        return `m${this.#parts.machine.cpus.map((_, i) => (i + 1).toString(16)).join(",")}`;
      case "qsThreadInfo":
        return "l";
      case "qThreadExtraInfo":
        return this.#describeCpu(packet.slice(name.length + 1));
      case "qXfer":
        return this.#transfer(packet);
      case "qRcmd":
        return await this.#monitor(packet.slice(name.length + 1));
      default:
        return "";
    }
  }

  #describeCpu(thread: string): string {
    const cpu = this.#cpuOf(thread);
    if (cpu === null) return MALFORMED;
    const { mode, halted } = this.#parts.machine.cpus[cpu];
    return toHex(new TextEncoder().encode(`CPU ${cpu}, ${mode} mode${halted ? ", halted" : ""}`));
  }

  #transfer(packet: string): string {
    const match = /^qXfer:features:read:target\.xml:([0-9a-f]+),([0-9a-f]+)$/i.exec(packet);
    if (!match) return packet.startsWith("qXfer:features:read:") ? "E00" : "";
    const [offset, length] = [parseInt(match[1], 16), parseInt(match[2], 16)];
    const xml = targetXml(this.#architecture);
    const part = xml.slice(offset, offset + Math.min(length, PACKET_BYTES / 2));
    return `${offset + part.length < xml.length ? "m" : "l"}${part}`;
  }

  async #monitor(digits: string): Promise<string> {
    const line = fromHex(digits);
    if (line === null) return MALFORMED;
    let text: string;
    try {
      text = await this.#parts.monitor(new TextDecoder().decode(line));
    } catch (error) {
      text = error instanceof Error ? error.message : String(error);
    }
    const bytes = new TextEncoder().encode(`${text}\n`);
    // Of a long answer all but the last part is printed before: a packet has its bound.
    const most = PACKET_BYTES / 2 - 1;
    let from = 0;
    for (; bytes.length - from > most; from += most) {
      this.#reply(`O${toHex(bytes.subarray(from, from + most))}`);
    }
    return toHex(bytes.subarray(from));
  }
}
