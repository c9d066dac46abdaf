/**
 * The differential fuzzer: random cases of every form on the host's CPU, on the cold tier with and without blocks, on the reference, and
 * translated; the engines must agree to the last bit.
 *
 * Set XENARIUM_FUZZ_SEED to repeat a run or to look elsewhere, XENARIUM_FUZZ_CASES for another number of cases per form,
 * XENARIUM_FUZZ_ONLY for forms whose name contains a text, XENARIUM_FUZZ_REPORTS for more reports.
 */

import { assert, assertEquals } from "@std/assert";
import type { Encoding } from "../../core/x86/decode/encoding.ts";
import { ENCODINGS } from "../../core/x86/instructions/table.ts";
import { cpuModel } from "../../core/x86/model/mod.ts";
import { type CaseForm, caseForms } from "./case_forms.ts";
import { CaseBuilder } from "./cases.ts";
import { CaseValues } from "./case_values.ts";
import {
  DATA_BYTES,
  type HostCpu,
  hostCpu,
  HostProcess,
  PATCH_BYTES,
  Reply,
  Request,
} from "./host_process.ts";
import { reasonToAllow } from "./allowed_differences.ts";
import { canComplete, excluded, hostLacks } from "./host_rules.ts";
import { JudgedCase } from "./judged_case.ts";
import { type Difference, differences, ReplyView, report, sameReply } from "./outcome.ts";
import { Random } from "./softfloat_operands.ts";
import { type SlotCode, SLOTS, UserCpu } from "./user_cpu.ts";

/** How much a run does. */
export interface FuzzOptions {
  /** Cases in all, unless the environment says how many of each form. */
  readonly cases: number;
  /** One batch of this many is executed by translated code, too. */
  readonly translatedBatches: number;
}

const CASES_PER_FORM = Deno.env.get("XENARIUM_FUZZ_CASES");
const SEED = Number(Deno.env.get("XENARIUM_FUZZ_SEED") ?? 1);
const ONLY = Deno.env.get("XENARIUM_FUZZ_ONLY") ?? "";
const MODEL = "default,+movbe,+lzcnt,+clflushopt,+clwb";
const BATCH = 4096;
const REPORTED_MISMATCHES = Number(Deno.env.get("XENARIUM_FUZZ_REPORTS") ?? 40);
const REPORTED_PER_FORM = 2;

/** Runs of one form, and what came of them. */
interface Tally {
  readonly form: CaseForm;
  cases: number;
  completed: number;
  mismatches: number;
  disagreements: number;
}

/** One run of the fuzzer. */
class Fuzzer {
  readonly random = new Random(SEED);
  readonly values: CaseValues;
  readonly builder: CaseBuilder;
  readonly pattern = new Uint8Array(DATA_BYTES);
  readonly guest: UserCpu;
  readonly tallies: Tally[];
  /** Encodings without a form. */
  readonly uncovered: readonly Encoding[];
  readonly reports: string[] = [];
  /** How many differences were allowed, by reason. */
  readonly allowed = new Map<string, number>();
  readonly #cold = new Uint32Array((Reply.sizeBytes + DATA_BYTES) >> 2);
  readonly #reference = new Uint32Array((Reply.sizeBytes + DATA_BYTES) >> 2);
  readonly #requests = [0, 1].map(() => new Uint8Array(BATCH * Request.sizeBytes));
  readonly #chosen: Tally[][] = [[], []];
  readonly #passing = new Uint32Array((Reply.sizeBytes + DATA_BYTES) >> 2);
  readonly #hot = new Uint32Array((Reply.sizeBytes + DATA_BYTES) >> 2);
  #next = 0;
  #judged = 0;
  /** Cases that translated code executed. */
  translated = 0;

  constructor(private readonly host: HostCpu, private readonly options: FuzzOptions) {
    this.values = new CaseValues(this.random, host.vendor);
    this.builder = new CaseBuilder(this.values);
    for (let at = 0; at < DATA_BYTES; at++) this.pattern[at] = this.random.below(256);
    const model = cpuModel(MODEL);
    this.guest = new UserCpu(model, this.pattern);
    const encodings = ENCODINGS.filter((encoding) =>
      excluded(encoding) === null && !hostLacks(host, encoding) &&
      (encoding.feature === null || model.has(encoding.feature))
    );
    const forms = caseForms(encodings, this.guest.decoder);
    const covered = new Set(forms.map(({ encoding }) => encoding));
    this.uncovered = encodings.filter((encoding) => !covered.has(encoding));
    this.tallies = forms.filter(({ name }) => name.includes(ONLY)).map((form) => ({
      form,
      cases: 0,
      completed: 0,
      mismatches: 0,
      disagreements: 0,
    }));
    // Each change of the mode costs time.
    this.tallies.sort((a, b) => Number(a.form.long) - Number(b.form.long));
  }

  /** Cases to execute, the same number of each form. */
  get total(): number {
    const perForm = CASES_PER_FORM === undefined
      ? Math.ceil(this.options.cases / Math.max(this.tallies.length, 1))
      : Number(CASES_PER_FORM);
    return perForm * this.tallies.length;
  }

  /** Executes `total` cases; the host works on one batch while the guest works on another. */
  async run(process: HostProcess, total: number): Promise<void> {
    let made = 0;
    let pending: Promise<Uint8Array> | null = null;
    try {
      for (let batch = 0; pending !== null || made < total; batch ^= 1) {
        const count = Math.min(BATCH, total - made);
        if (count > 0) this.#fill(batch, count);
        made += count;
        const replies: Uint8Array | null = await pending;
        const requests = this.#requests[batch].subarray(0, count * Request.sizeBytes);
        pending = count > 0 ? process.execute(requests, count) : null;
        if (replies !== null) this.#judge(batch ^ 1, replies);
      }
    } finally {
      await pending;
    }
  }

  #fill(batch: number, count: number): void {
    const chosen = this.#chosen[batch];
    chosen.length = 0;
    this.values.refresh();
    while (chosen.length < count) {
      const tally = this.tallies[this.#next];
      this.#next = (this.#next + 1) % this.tallies.length;
      if (!this.builder.make(tally.form, this.guest.decoder)) continue;
      this.#requests[batch].set(this.builder.bytes, chosen.length * Request.sizeBytes);
      chosen.push(tally);
    }
  }

  #judge(batch: number, replies: Uint8Array): void {
    const words = new Uint32Array(replies.buffer, replies.byteOffset, replies.byteLength >> 2);
    const requests = this.#requests[batch];
    const { guest } = this;
    const translates = this.#judged++ % this.options.translatedBatches === 0;
    let at = 0;
    this.#chosen[batch].forEach((tally, index) => {
      const from = index * Request.sizeBytes;
      if (translates && index % SLOTS === 0) {
        this.#translate(requests, from, Math.min(SLOTS, this.#chosen[batch].length - index));
      }
      guest.execute(guest.cold, requests, from, this.#cold);
      const host = new ReplyView(replies, at);
      tally.cases++;
      if (host.completed) tally.completed++;
      if (!sameReply(words, at >> 2, this.#cold)) this.#mismatch(tally, requests, from, host);
      guest.execute(guest.reference, requests, from, this.#reference);
      this.#compareEngines(tally, requests, from, "reference", this.#reference);
      guest.execute(guest.passing, requests, from, this.#passing);
      this.#compareEngines(tally, requests, from, "passing", this.#passing);
      if (translates) {
        guest.executeSlot(index % SLOTS, guest.hot, requests, from, this.#hot);
        this.#compareEngines(tally, requests, from, "hot", this.#hot);
      }
      at += host.sizeBytes;
    });
    assertEquals(at, replies.byteLength, "replies of the oracle");
  }

  #mismatch(tally: Tally, requests: Uint8Array, from: number, host: ReplyView): void {
    const request = new DataView(requests.buffer, from, Request.sizeBytes);
    const guest = new ReplyView(new Uint8Array(this.#cold.buffer), 0);
    const judged = new JudgedCase(tally.form, request, host, guest, this.host);
    const found = differences(host, guest, this.#before(request)).filter((difference) => {
      const reason = reasonToAllow(judged, difference);
      if (reason === null) return true;
      this.allowed.set(reason, (this.allowed.get(reason) ?? 0) + 1);
      return false;
    });
    if (found.length === 0) return;
    if (tally.mismatches++ < REPORTED_PER_FORM) {
      this.#report(tally, request, host, found, ["host", "cold"]);
    }
  }

  /** Translates `count` cases at once: one by one would take long. */
  #translate(requests: Uint8Array, from: number, count: number): void {
    const codes = Array.from({ length: count }, (_, i): SlotCode => {
      const at = from + i * Request.sizeBytes;
      const request = new DataView(requests.buffer, requests.byteOffset + at, Request.sizeBytes);
      const code = at + Request.code;
      return {
        bytes: requests.subarray(code, code + request.getUint8(Request.length)),
        at: request.getUint32(Request.codeAt, true),
        long: request.getUint8(Request.isLong) !== 0,
      };
    });
    this.guest.fillSlots(codes);
    this.guest.translateSlots(codes);
    this.translated += count;
  }

  /** Compares what another engine answered with the cold tier's answer. */
  #compareEngines(
    tally: Tally,
    requests: Uint8Array,
    from: number,
    name: string,
    answer: Uint32Array,
  ): void {
    if (sameReply(answer, 0, this.#cold)) return;
    const request = new DataView(requests.buffer, from, Request.sizeBytes);
    const other = new ReplyView(new Uint8Array(answer.buffer), 0);
    const cold = new ReplyView(new Uint8Array(this.#cold.buffer), 0);
    const found = differences(other, cold, this.#before(request));
    if (tally.disagreements++ < REPORTED_PER_FORM) {
      this.#report(tally, request, other, found, [name, "cold"]);
    }
  }

  /** The data pages before the case. */
  #before(request: DataView): Uint8Array {
    const bytes = this.pattern.slice();
    const patch = new Uint8Array(request.buffer, request.byteOffset + Request.patch, PATCH_BYTES);
    bytes.set(patch, request.getUint32(Request.patchAt, true));
    return bytes;
  }

  #report(
    { form }: Tally,
    request: DataView,
    host: ReplyView,
    found: readonly Difference[],
    sides: readonly [string, string],
  ): void {
    if (this.reports.length >= REPORTED_MISMATCHES) return;
    this.reports.push(report(form.name, request, host, found, sides));
  }
}

/** Runs the fuzzer, and asserts that host and engines agree on every case. */
export async function fuzz(options: FuzzOptions): Promise<void> {
  const fuzzer = new Fuzzer(await hostCpu(), options);
  assertEquals(fuzzer.uncovered.map(({ text }) => text), [], "encodings without a form");
  const directory = await Deno.makeTempDir();
  const process = await HostProcess.start(directory, fuzzer.pattern);
  try {
    await fuzzer.run(process, fuzzer.total);
  } finally {
    await process.stop();
    await Deno.remove(directory, { recursive: true });
  }
  const { tallies, total, translated } = fuzzer;
  console.log(
    `seed ${SEED}: ${total} cases of ${tallies.length} forms, ${translated} of them translated ` +
      `(${fuzzer.guest.hot.counters.regions} regions); allowed differences:`,
  );
  for (const [reason, count] of fuzzer.allowed) {
    console.log(`${String(count).padStart(8)} ${reason}`);
  }
  const failed = tallies.filter(({ mismatches, disagreements }) => mismatches + disagreements);
  const summary = failed.map(({ form, mismatches, disagreements }) =>
    `${form.name}: ${mismatches} mismatches, ${disagreements} disagreements`
  );
  assert(failed.length === 0, [...fuzzer.reports, ...summary].join("\n"));
  const idle = tallies.filter(({ form, completed }) => completed === 0 && canComplete(form));
  assertEquals(idle.map(({ form }) => form.name), [], "forms of which no case completed");
}
