import { assertEquals, assertThrows } from "@std/assert";
import { type Cycle, MachineClock } from "../../core/clock/clock.ts";
import { Ledger } from "../../core/hypervisor/accounting/ledger.ts";
import { CostTable } from "../../core/clock/profiles/cost_profile.ts";
import { FREE_PROFILE } from "../../core/clock/profiles/profiles.ts";
import { domainId, vcpuId } from "../../core/abi/ids.ts";
import { ModelExecutor } from "../../core/hypervisor/executors/model_executor.ts";
import { ProgramRegistry } from "../../core/hypervisor/executors/model_program.ts";
import { CpuDispatcher } from "../../core/hypervisor/scheduling/dispatcher.ts";
import { test } from "../../core/lib/testing.ts";
import type { Stepper } from "../work.ts";
import { BACK_ENDS, backEndProgram, BackEndService } from "./back_end_service.ts";

/** 100 cycles for a request, one for a byte. */
const PROFILE = {
  ...FREE_PROFILE,
  prices: {
    ...FREE_PROFILE.prices,
    requests: { cycles: 100, basis: "assumed", source: "this test" },
    copiedBytes: { cycles: 1, basis: "assumed", source: "this test" },
  },
} as const;

/** A driver domain on a CPU of its own. */
function rig() {
  const clock = new MachineClock();
  const dispatcher = new CpuDispatcher({ clock, cpus: 1, scheduler: "null" });
  const executor = new ModelExecutor<BackEndService>({
    clock,
    dispatcher,
    programs: new ProgramRegistry([backEndProgram]),
    port: () => service,
  });
  const vcpu = dispatcher.add({ domain: domainId(0), id: vcpuId(0), executor });
  const ledger = new Ledger(new CostTable(PROFILE, clock.frequencyHz));
  const service = new BackEndService(
    (done) => ledger.chargeAll(vcpu.domain, done),
    () => executor.signal(vcpu, BACK_ENDS.signal),
  );
  executor.attach(vcpu);
  executor.spawn(vcpu, BACK_ENDS.program, BACK_ENDS.step);
  dispatcher.online(vcpu);
  const log: string[] = [];
  /** A stepper with so many requests, of which it serves one a step, 50 bytes each. */
  const stepper = (name: string, requests: number): Stepper => ({
    step() {
      log.push(`${name} ${dispatcher.now}`);
      return { done: { requests: 1, copiedBytes: 50 }, more: --requests > 0 };
    },
  });
  return { clock, dispatcher, ledger, vcpu, service, log, stepper };
}

test("back ends take turns by steps, and each step takes what it costs", () => {
  const { dispatcher, ledger, vcpu, service, log, stepper } = rig();
  const wakeA = service.add("a", stepper("a", 3));
  const wakeB = service.add("b", stepper("b", 2));
  dispatcher.advance(1000 as Cycle);
  wakeA();
  wakeB();
  wakeA();
  dispatcher.advance(10_000 as Cycle);
  const [first] = log.map((line) => Number(line.split(" ")[1]));
  assertEquals(
    log,
    ["a", "b", "a", "b", "a"].map((name, index) => `${name} ${first + 150 * index}`),
  );
  assertEquals(ledger.entries(domainId(0)), [
    { cost: "requests", count: 5, cycles: 500 },
    { cost: "copiedBytes", count: 250, cycles: 250 },
  ] as never);
  const { state, times } = dispatcher.runstate(vcpu);
  assertEquals([state, times.running >= 5 * 150 && times.running < 5 * 150 + 20], [
    "blocked",
    true,
  ]);
});

test("one that is removed is not stepped, and a name is taken once", () => {
  const { dispatcher, service, log, stepper } = rig();
  const wake = service.add("a", stepper("a", 3));
  assertThrows(() => service.add("a", stepper("a", 1)), Error, "two back ends named a");
  wake();
  service.remove("a");
  wake();
  dispatcher.advance(10_000 as Cycle);
  assertEquals(log, []);
});

test("a snapshot keeps who waits, in order", () => {
  const { service, stepper } = rig();
  for (const name of ["b", "a"]) service.add(name, stepper(name, 1))();
  const other = rig();
  for (const name of ["a", "b"]) other.service.add(name, other.stepper(name, 1));
  other.service.restore(service.save());
  assertEquals(other.service.save(), service.save());
  other.service.serve();
  assertEquals(other.log.map((line) => line[0]), ["b"]);
});
