/**
 * System behaviour, case by case as the manual says, in a guest of our own on every engine: the guest records each
 * exception that it gets, and the test compares the records with the table.
 */

import { assertEquals } from "@std/assert";
import { physical } from "../../../core/lib/brand.ts";
import type { EngineName, Machine } from "../../../testbed/machine_api.ts";
import { createMachine } from "../../../testbed/machine.ts";
import { CASES_32 } from "./cases32.ts";
import { CASES_64 } from "./cases64.ts";
import { guest32 } from "./guest32.ts";
import { guest64 } from "./guest64.ts";
import {
  PROBE_BYTES,
  PROBES,
  RECORD_BYTES,
  RECORDS,
  type SystemCase,
  USER_ALIAS,
} from "./system_case.ts";

const NO_ERROR_CODE = 0xffffffff;
const SUCCESS = 0x21;
const MOST_RECORDS = 400;

interface Trap {
  readonly vector: number;
  readonly error: number | undefined;
  readonly at: string;
  readonly cr2: string;
}

/** What the guest recorded for each case. */
function recordedTraps(machine: Machine, cases: number): Trap[][] {
  const traps: Trap[][] = Array.from({ length: cases }, () => []);
  const bytes = machine.memory.readBytes(physical(RECORDS), MOST_RECORDS * RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += RECORD_BYTES) {
    const ip = view.getBigUint64(at + 16, true);
    if (ip === 0n) break;
    const error = view.getUint32(at + 8, true);
    const vector = view.getUint32(at + 4, true);
    traps[view.getUint32(at, true)].push({
      vector,
      error: error === NO_ERROR_CODE ? undefined : error,
      at: hex(ip),
      cr2: vector === 14 ? hex(view.getBigUint64(at + 32, true)) : "",
    });
  }
  return traps;
}

function expectedTraps(
  { traps }: SystemCase,
  number: number,
  labels: Readonly<Record<string, bigint>>,
): Trap[] {
  return traps.map(({ vector, error, at, cr2, alias = false }) => {
    const label = at.startsWith("=")
      ? absolute(at.slice(1), labels)
      : labels[`case${number}_${at}`];
    const ip = label + (alias ? BigInt(USER_ALIAS) : 0n);
    const address = cr2 === undefined ? "" : hex(cr2 === "at" ? ip : cr2);
    return { vector, error, at: hex(ip), cr2: address };
  });
}

/** `=label+2` or `=0x401010`. */
function absolute(text: string, labels: Readonly<Record<string, bigint>>): bigint {
  const [name, add = "0"] = text.split("+");
  return (name in labels ? labels[name] : BigInt(name)) + BigInt(add);
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

async function checkSuite(
  engine: EngineName,
  cases: readonly SystemCase[],
  guest: { image: Uint8Array; labels: Readonly<Record<string, bigint>> },
): Promise<void> {
  const machine = await createMachine({
    kernel: guest.image,
    memory: "16MiB",
    engine,
    translator: { hotAfter: 1 },
  });
  const stop = await machine.run({ forCycles: 2_000_000 as never });
  const traps = recordedTraps(machine, cases.length);
  const results = cases.map(({ claim, probe }, number) => {
    const bytes = machine.memory.readBytes(physical(PROBES + number * PROBE_BYTES), PROBE_BYTES);
    const left = probe === undefined ? "" : hex(new DataView(bytes.buffer).getBigUint64(0, true));
    return { claim, traps: traps[number], probe: left };
  });
  const expected = cases.map((each, number) => ({
    claim: each.claim,
    traps: expectedTraps(each, number, guest.labels),
    probe: each.probe === undefined ? "" : hex(each.probe),
  }));
  assertEquals(results, expected);
  assertEquals(stop, { kind: "exit", code: SUCCESS });
}

for (const engine of ["hot", "cold", "reference"] as const) {
  Deno.test(`32-bit system behaviour is the manual's on the ${engine} engine`, async () => {
    await checkSuite(engine, CASES_32, guest32(CASES_32));
  });
  Deno.test(`64-bit system behaviour is the manual's on the ${engine} engine`, async () => {
    await checkSuite(engine, CASES_64, guest64(CASES_64));
  });
}
