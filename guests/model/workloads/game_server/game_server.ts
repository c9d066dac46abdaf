/**
 * A game server: players outside say where they are many times a second, and at each of its ticks it works out the world and
 * tells all of them. Nothing is asked twice: who comes late has missed it.
 */

import {
  expectRecord,
  type SnapshotRecord,
  type SnapshotValue,
} from "../../../../core/lib/snapshot.ts";
import { type Action, call, compute, exit, type Program } from "../../kernel/action.ts";
import type { OutsideMachine, OutsideProgram } from "../../net/outside_machine.ts";
import { hostAddress } from "../../net/packet.ts";

/** Bytes of what a player says, and of what it is told. */
const BYTES = { move: 60, world: 300 } as const;
/** Cycles for a move, and at a tick for each player; assumed: a first-person shooter of the time. */
const CYCLES = { move: 12_000, player: 40_000 } as const;
const OWN_PORT = 20_000;

/** `{ port, tickCycles, players }`: answers every tick for as many players as have spoken. */
export const gameServer: Program = {
  name: "game server",
  steps: {
    begin: ({ locals: { port } }) => call("bind", { port }, "bound"),
    bound: ({ locals, value, now }) => {
      if (value < 0) return exit(-value);
      Object.assign(locals, {
        fd: value,
        known: [],
        nextTick: now + (locals.tickCycles as number),
      });
      return wait(locals, now);
    },
    ready: ({ locals, result, now }) => {
      const isTick = now >= (locals.nextTick as number) ||
        (result as readonly number[]).length === 0;
      if (!isTick) return call("recv", { fd: locals.fd, bytes: 2048 }, "move");
      locals.nextTick = (locals.nextTick as number) + (locals.tickCycles as number);
      locals.told = 0;
      return compute(CYCLES.player * (locals.known as readonly number[]).length, "tell");
    },
    move: ({ locals, result }) => {
      const { says } = result as { readonly says: readonly SnapshotValue[] };
      const known = locals.known as number[];
      const { player } = says[0] as { readonly player: number };
      if (!known.includes(player)) known.push(player);
      locals.heard = { ...(locals.heard as object ?? {}), [player]: says[0] };
      return compute(CYCLES.move, "moved");
    },
    moved: ({ locals, now }) => wait(locals, now),
    tell: ({ locals, now }) => {
      const told = locals.told as number;
      const known = locals.known as readonly number[];
      if (told === known.length) return wait(locals, now);
      locals.told = told + 1;
      const { fd, address } = locals;
      const heard = (locals.heard as { readonly [player: string]: SnapshotValue })[known[told]];
      const port = OWN_PORT + known[told];
      return call("sendto", { fd, to: address, port, bytes: BYTES.world, says: heard }, "tell");
    },
  },
};

/** Waits for a move, or for the next tick. */
function wait(locals: { [name: string]: SnapshotValue }, now: number): Action {
  const cycles = Math.max(0, (locals.nextTick as number) - now);
  return call("select", { read: [locals.fd], cycles }, "ready");
}

/** What the players outside are told. */
export interface PlayersOptions {
  readonly address: number;
  readonly port: number;
  readonly players: number;
  /** From one move to the next, in nanoseconds. */
  readonly moveNs: number;
}

/** How the game felt. */
export interface PlayersResult {
  readonly moves: number;
  readonly updates: number;
  /** From a move to the first update that knows of it, in milliseconds. */
  readonly meanMs: number;
  readonly worstMs: number;
}

/** Everybody who plays. */
export class Players implements OutsideProgram {
  #machine: OutsideMachine | null = null;
  #moves = 0;
  #updates = 0;
  #sumNs = 0;
  #worstNs = 0;
  #seen: number[];

  constructor(private readonly options: PlayersOptions) {
    this.#seen = Array(options.players).fill(-1);
  }

  get result(): PlayersResult {
    return {
      moves: this.#moves,
      updates: this.#updates,
      meanMs: this.#sumNs / Math.max(1, this.#updates) / 1e6,
      worstMs: this.#worstNs / 1e6,
    };
  }

  begin(machine: OutsideMachine): void {
    this.#machine = machine;
    const { players, moveNs } = this.options;
    for (let player = 0; player < players; player++) {
      machine.stack.bindDatagrams(OWN_PORT + player);
      machine.setTimer(machine.now + moveNs * (player + 1) / players, player);
    }
  }

  onTimer(player: number): void {
    const { stack, now } = this.#machine!;
    const { address, port, moveNs } = this.options;
    this.#moves++;
    const says = { player, at: now };
    stack.sendDatagram(OWN_PORT + player, hostAddress(address), port, BYTES.move, says);
    this.#machine!.setTimer(now + moveNs, player);
  }

  onDatagram(port: number): void {
    const { stack, now } = this.#machine!;
    const said = stack.receiveDatagram(port)?.marks[0]?.says as { at: number } | undefined;
    const player = port - OWN_PORT;
    if (!said || said.at <= this.#seen[player]) return;
    this.#seen[player] = said.at;
    this.#updates++;
    this.#sumNs += now - said.at;
    this.#worstNs = Math.max(this.#worstNs, now - said.at);
  }

  onEvent(): void {}

  save(): SnapshotRecord {
    const state = {
      moves: this.#moves,
      updates: this.#updates,
      sumNs: this.#sumNs,
      worstNs: this.#worstNs,
      seen: [...this.#seen],
    };
    return { kind: "players", version: 1, state };
  }

  restore(record: SnapshotRecord): void {
    const state = expectRecord(record, "players", 1);
    this.#moves = state.moves as number;
    this.#updates = state.updates as number;
    this.#sumNs = state.sumNs as number;
    this.#worstNs = state.worstNs as number;
    this.#seen = [...state.seen as readonly number[]];
  }
}
