/**
 * Translated code against the cold tier on random sequences: wherever the budget ends or a fault comes up, registers,
 * flags, memory and what is left of the budget are the same.
 *
 * Set XENARIUM_FUZZ_SEED to look elsewhere, XENARIUM_FUZZ_SEQUENCES for another number of sequences.
 */

import { assertEquals } from "@std/assert";
import { Decoder as IcedDecoder, DecoderOptions, Formatter, FormatterSyntax } from "iced-x86";
import { ENCODINGS } from "../../core/x86/instructions/table.ts";
import { cpuModel } from "../../core/x86/model/mod.ts";
import { caseForms } from "./case_forms.ts";
import { CaseValues } from "./case_values.ts";
import { CaseBuilder } from "./cases.ts";
import { CODE, DATA_BYTES, Reply } from "./host_process.ts";
import { excluded } from "./host_rules.ts";
import { differences, ReplyView, sameReply } from "./outcome.ts";
import { type Sequence, SequenceBuilder } from "./sequences.ts";
import { Random } from "./softfloat_operands.ts";
import { SLOTS, UserCpu } from "./user_cpu.ts";

const SEED = Number(Deno.env.get("XENARIUM_FUZZ_SEED") ?? 1);
const SEQUENCES = Number(Deno.env.get("XENARIUM_FUZZ_SEQUENCES") ?? 2048);
const RUNS = 4;
const MOST_BUDGET = 100;
const REPORTS = 3;

function listing({ bytes, at, long }: Sequence): string {
  const decoder = new IcedDecoder(long ? 64 : 32, bytes, DecoderOptions.None);
  decoder.ip = BigInt(CODE + at);
  const formatter = new Formatter(FormatterSyntax.Nasm);
  const lines: string[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    lines.push(`  ${instruction.ip.toString(16)} ${formatter.format(instruction)}`);
  }
  return lines.join("\n");
}

Deno.test("translated sequences leave the same state as the cold tier, whatever the budget", () => {
  const random = new Random(SEED);
  const values = new CaseValues(random, "intel");
  const pattern = new Uint8Array(DATA_BYTES).map(() => random.below(256));
  const guest = new UserCpu(cpuModel("default"), pattern);
  const model = cpuModel("default");
  const encodings = ENCODINGS.filter((encoding) =>
    excluded(encoding) === null && (encoding.feature === null || model.has(encoding.feature))
  );
  const builder = new SequenceBuilder(
    new CaseBuilder(values),
    guest.decoder,
    random,
    caseForms(encodings, guest.decoder),
  );
  const [cold, hot] = [0, 0].map(() => new Uint32Array((Reply.sizeBytes + DATA_BYTES) >> 2));
  const reports: string[] = [];
  for (let done = 0; done < SEQUENCES && reports.length < REPORTS; done += SLOTS) {
    values.refresh();
    const sequences = Array.from({ length: SLOTS }, () => builder.make());
    guest.fillSlots(sequences);
    // Regions hold what was executed before.
    sequences.forEach(({ request }, slot) => guest.executeSlot(slot, guest.hot, request, 0, hot));
    guest.translateSlots(sequences);
    sequences.forEach((sequence, slot) => {
      for (let run = 0; run < RUNS; run++) {
        const budget = 1 + random.below(MOST_BUDGET);
        const execute = (engine: typeof guest.cold, reply: Uint32Array) =>
          guest.executeSlot(slot, engine, sequence.request, 0, reply, budget);
        const left = [execute(guest.cold, cold), execute(guest.hot, hot)];
        if (sameReply(cold, 0, hot) && left[0] === left[1]) continue;
        const [a, b] = [cold, hot].map((reply) => new ReplyView(new Uint8Array(reply.buffer), 0));
        const found = differences(a, b, pattern).map(({ what, host, guest }) =>
          `${what}: cold ${host.toString(16)}, hot ${guest.toString(16)}`
        );
        reports.push(
          `budget ${budget}, left ${left.join(" and ")}\n${found.join("\n")}\n${listing(sequence)}`,
        );
        break;
      }
    });
  }
  assertEquals(reports.slice(0, REPORTS), []);
});
