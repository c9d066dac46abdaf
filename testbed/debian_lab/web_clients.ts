/**
 * Web clients outside a host: each asks for a page, takes the answer, thinks, and asks again. They cost the host nothing
 * but the packets that reach its bridge.
 */

import type { Cycle, MachineClock, Timer } from "../../core/clock/clock.ts";
import type { Random } from "../../core/lib/random.ts";
import { type Ipv4Address, parseIpv4 } from "../../devices/net/mod.ts";
import type { TcpService, TcpStream, UserNetwork } from "../../devices/usernet/mod.ts";

/** What clients do. */
export interface WebClientOptions {
  readonly count: number;
  /** Mean time from an answer to the next request, in nanoseconds; drawn anew each time. */
  readonly thinkNs: number;
  readonly path: string;
  /** An answer that takes longer counts as failed, and the connection is given up. */
  readonly patienceNs: number;
}

/** What was measured since the last {@link WebClients.reset}. */
export interface WebResults {
  readonly answers: number;
  readonly failures: number;
  readonly bytes: number;
  /** Of the answers, in milliseconds; 0 without one. */
  readonly meanMs: number;
  readonly worstMs: number;
}

const HTTP_PORT = 80;
/** Addresses of clients begin here. */
const FIRST_CLIENT = "198.51.100.1";
const ENCODER = new TextEncoder();

/** See the module comment. */
export class WebClients {
  #answers = 0;
  #delaysMs = 0;
  #worstMs = 0;
  #bytes = 0;
  #failures = 0;

  /** Clients of one server begin at once, each after a first time to think. */
  constructor(
    network: UserNetwork,
    clock: MachineClock,
    server: Ipv4Address,
    random: Random,
    options: WebClientOptions,
  ) {
    const first = parseIpv4(FIRST_CLIENT);
    for (let n = 0; n < options.count; n++) {
      const from = first + (server & 0xff) * 0x100 + n as Ipv4Address;
      new Client(
        network,
        clock,
        { from, server, random, name: `web.${server & 0xff}.${n}` },
        options,
        this,
      );
    }
  }

  get results(): WebResults {
    return {
      answers: this.#answers,
      failures: this.#failures,
      bytes: this.#bytes,
      meanMs: this.#delaysMs / Math.max(1, this.#answers),
      worstMs: this.#worstMs,
    };
  }

  /** Forgets what was measured; requests under way count when they are answered. */
  reset(): void {
    this.#answers = this.#delaysMs = this.#worstMs = 0;
    this.#bytes = this.#failures = 0;
  }

  /** Used by clients. */
  answered(delayMs: number, bytes: number): void {
    this.#answers++;
    this.#delaysMs += delayMs;
    this.#worstMs = Math.max(this.#worstMs, delayMs);
    this.#bytes += bytes;
  }

  /** Used by clients. */
  failed(): void {
    this.#failures++;
  }
}

interface ClientPlace {
  readonly from: Ipv4Address;
  readonly server: Ipv4Address;
  readonly random: Random;
  readonly name: string;
}

class Client {
  readonly #timer: Timer;
  readonly #service: TcpService;
  /** The connection whose answer is waited for: one that was given up counts no more. */
  #stream: TcpStream | null = null;
  #started = 0;

  constructor(
    private readonly network: UserNetwork,
    private readonly clock: MachineClock,
    private readonly place: ClientPlace,
    private readonly options: WebClientOptions,
    private readonly results: WebClients,
  ) {
    const { name } = place;
    this.#timer = clock.createTimer(
      name,
      () => this.#stream === null ? this.#ask() : this.#giveUp(),
    );
    this.#service = {
      name,
      data: ({ locals }, piece) => {
        locals.bytes = (locals.bytes as number ?? 0) + piece.length;
      },
      closed: (stream, why) => this.#closed(stream, why),
    };
    this.#think();
  }

  #think(): void {
    this.#stream = null;
    this.#arm(this.place.random.exponential(this.options.thinkNs));
  }

  #ask(): void {
    const { from, server } = this.place;
    this.#started = this.clock.nowNs;
    this.#arm(this.options.patienceNs);
    this.#stream = this.network.connect(from, { address: server, port: HTTP_PORT }, this.#service);
    this.#stream.write(ENCODER.encode(`GET ${this.options.path} HTTP/1.0\r\n\r\n`));
  }

  #closed(stream: TcpStream, why: string): void {
    if (stream !== this.#stream) return;
    const bytes = stream.locals.bytes as number ?? 0;
    if (why === "done" && bytes > 0) {
      this.results.answered((this.clock.nowNs - this.#started) / 1e6, bytes);
    } else this.results.failed();
    this.#think();
  }

  #giveUp(): void {
    const stream = this.#stream!;
    this.results.failed();
    this.#think();
    stream.abort();
  }

  #arm(delayNs: number): void {
    const delay = Math.ceil(delayNs * this.clock.frequencyHz / 1e9);
    this.#timer.armAt(this.clock.now + delay + 1 as Cycle);
  }
}
