/**
 * GDB's remote stub of a machine, or of a domain of a host: `target remote :PORT` in gdb. It listens on the loopback address alone and serves one
 * client at a time; several machines listen on several ports.
 */

import type { DebugTarget, RunOptions, StopReason } from "../machine_api.ts";
import { MachineDebugger } from "../debugger/machine_debugger.ts";
import { GdbSession } from "./session.ts";
import { machineOf, monitorCommand } from "./monitor.ts";

const LOOPBACK = "127.0.0.1";
const BUFFER_BYTES = 64 * 1024;

/** A stub that listens. */
export interface GdbServer {
  /** The port that it listens on. */
  readonly port: number;
  /** Resolves with how the machine ended, be it by its client's wish; never rejects. */
  readonly ended: Promise<StopReason>;
  /** Listens no longer, and takes leave of the client. */
  close(): void;
}

/** How a stub drives its machine. */
export interface GdbOptions {
  /** The port to listen on; 0 chooses a free one. */
  readonly port?: number;
  /** Bounds of each run besides what the client asks for. */
  readonly run?: RunOptions;
  /** Whether the machine runs on by itself when a client detaches; default: it stays stopped. */
  readonly runsDetached?: boolean;
}

/** Serves a machine, or a domain, to gdb. Throws `TypeError` if it has no debugger, `RangeError` if the port is taken. */
export function serveGdb(machine: DebugTarget, options: GdbOptions = {}): GdbServer {
  const { debugger: watcher } = machine;
  if (!(watcher instanceof MachineDebugger)) {
    throw new TypeError(`${machine.name} has no debugger that gdb could use`);
  }
  return new Server(machine, watcher, options, listen(options.port ?? 0));
}

function listen(port: number): Deno.TcpListener {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`expected a port from 0 to 65535, found ${port}`);
  }
  try {
    return Deno.listen({ hostname: LOOPBACK, port });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new RangeError(`port ${port} of ${LOOPBACK} is in use already`, { cause: error });
  }
}

class Server implements GdbServer {
  readonly port: number;
  readonly ended: Promise<StopReason>;
  #end: (stop: StopReason) => void = () => {};
  #client: Deno.TcpConn | null = null;
  #closed = false;

  constructor(
    private readonly machine: DebugTarget,
    private readonly watcher: MachineDebugger,
    private readonly options: GdbOptions,
    private readonly listener: Deno.TcpListener,
  ) {
    this.port = listener.addr.port;
    this.ended = new Promise((resolve) => this.#end = resolve);
    this.#accept();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.listener.close();
    this.#leave(this.#client);
    this.#end({ kind: "aborted" });
  }

  /** Closes the connection of a client that is still there. */
  #leave(client: Deno.TcpConn | null): void {
    if (client === null || this.#client !== client) return;
    this.#client = null;
    client.close();
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      let client: Deno.TcpConn;
      try {
        client = await this.listener.accept();
      } catch (error) {
        if (this.#closed) return;
        throw error;
      }
      client.setNoDelay(true);
      this.#client = client;
      await this.#serve(client);
      this.#leave(client);
    }
  }

  async #serve(client: Deno.TcpConn): Promise<void> {
    await this.#stopMachine();
    const outbox = new Outbox(client);
    const session = new GdbSession({
      machine: this.machine,
      past: machineOf(this.machine),
      debugger: this.watcher,
      runOptions: this.options.run ?? {},
      send: (bytes) => outbox.send(bytes),
      monitor: (line) => monitorCommand(this.machine, line),
      // The client is told first.
      ended: (stop) => setTimeout(() => outbox.flushed().then(() => this.#end(stop))),
    });
    const buffer = new Uint8Array(BUFFER_BYTES);
    try {
      while (session.end === null) {
        const length = await client.read(buffer);
        if (length === null) break;
        // The machine may run for long: meanwhile the client is listened to.
        session.receive(buffer.slice(0, length)).catch(() => {
          // It floods a machine that runs: it is let go.
          session.close();
          this.#leave(client);
        });
      }
    } catch (error) {
      // The client is gone, or the stub was closed.
      if (!(error instanceof Error)) throw error;
    }
    const killed = session.end === "killed";
    session.close();
    await outbox.flushed();
    if (killed) this.#end({ kind: "aborted" });
    else if (this.options.runsDetached && !this.#closed) this.#runOn();
  }

  /** A machine that runs on by itself is stopped for its next client. */
  async #stopMachine(): Promise<void> {
    while (this.machine.running) {
      this.machine.interrupt();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async #runOn(): Promise<void> {
    await this.#stopMachine();
    const stop = await this.machine.run(this.options.run);
    if (stop.kind !== "aborted") this.#end(stop);
  }
}

/** Sends in order; what cannot be sent any more is lost with its client. */
class Outbox {
  #last: Promise<void> = Promise.resolve();

  constructor(private readonly client: Deno.TcpConn) {}

  send(bytes: Uint8Array): void {
    this.#last = this.#last.then(() => this.#write(bytes)).catch(() => {});
  }

  async flushed(): Promise<void> {
    await this.#last;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await this.client.write(bytes.subarray(done));
    }
  }
}
