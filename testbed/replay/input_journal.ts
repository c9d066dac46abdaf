/**
 * What reached a machine from outside, and when: the one door for input.
 *
 * An input is plain data that is carried out at a cycle, between two turns of the CPUs. Whoever goes back in time finds
 * the inputs of his future here and has them again at the same cycles; who then does something else begins
 * another future.
 */

import type { Cycle } from "../../core/clock/clock.ts";
import type { HostInput } from "../../devices/net/mod.ts";
import type { KeyName } from "../../devices/i8042/mod.ts";

/** One thing done to a machine from outside. */
export type MachineInput =
  /** Bytes typed at the serial console. */
  | { readonly kind: "console"; readonly bytes: Uint8Array }
  /** Keys of the keyboard, pressed together. */
  | { readonly kind: "keys"; readonly keys: readonly KeyName[] }
  /** What the script's host sent on the network. */
  | { readonly kind: "network"; readonly input: HostInput }
  /** Memory that a person changed, by guest-physical address. */
  | { readonly kind: "memory"; readonly address: number; readonly bytes: Uint8Array }
  /** A register that a person set. */
  | {
    readonly kind: "register";
    readonly cpu: number;
    readonly name: string;
    readonly value: bigint;
  };

/** An input with the cycle at which it is carried out. */
export interface LoggedInput {
  readonly cycle: Cycle;
  readonly input: MachineInput;
}

/** The inputs of one machine, in order. */
export class InputJournal {
  readonly #inputs: LoggedInput[] = [];
  /** How many of them the machine has had. */
  #had = 0;
  /** Told of each input that is added, and after {@link forgetFuture}. */
  onAdd: (input: LoggedInput) => void = () => {};
  onForget: () => void = () => {};
  /** How many inputs the machine has had so far. */
  get had(): number {
    return this.#had;
  }

  /** The cycle of the next one to come, or `Infinity`. */
  get nextCycle(): number {
    return this.#inputs[this.#had]?.cycle ?? Infinity;
  }

  /** Whether inputs are to come. */
  get hasFuture(): boolean {
    return this.#had < this.#inputs.length;
  }

  /** All inputs from number `first` on. */
  since(first: number): readonly LoggedInput[] {
    return this.#inputs.slice(first);
  }

  /** Adds an input that is to be carried out at `cycle`, after all that are there. */
  add(cycle: Cycle, input: MachineInput): void {
    this.#inputs.push({ cycle, input });
    this.onAdd({ cycle, input });
  }

  /** Takes the next input if its cycle has come. */
  take(now: Cycle): MachineInput | null {
    if (this.nextCycle > now) return null;
    return this.#inputs[this.#had++].input;
  }

  /** The machine is where it had had `had` inputs. */
  goTo(had: number): void {
    this.#had = had;
  }

  /** Gives up the inputs to come. */
  forgetFuture(): void {
    this.#inputs.length = this.#had;
    this.onForget();
  }

  /** Forgets everything: the machine is another one now. */
  clear(): void {
    this.#inputs.length = this.#had = 0;
  }
}
