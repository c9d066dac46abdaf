import { assertEquals } from "@std/assert";
import type { Cycle } from "../../core/clock/clock.ts";
import {
  call,
  compute,
  Descriptors,
  exit,
  flatPlatform,
  Kernel,
  Pipes,
  type Platform,
  type Program,
} from "../../guests/model/mod.ts";
import { BareBox } from "./bare_box.ts";

/** Two processes send a byte to and fro, `rounds` times; the parent reports how many cycles that took. */
const pingPong: Program = {
  name: "ping-pong",
  steps: {
    begin: () => call("pipe", {}, "first"),
    first: ({ locals, result }) => {
      locals.there = result;
      return call("pipe", {}, "second");
    },
    second: ({ locals, result }) => {
      locals.back = result;
      return call("fork", { child: "echo" }, "start");
    },
    start: ({ locals, now }) => {
      locals.begun = now;
      locals.left = locals.rounds;
      return call("write", { fd: (locals.there as number[])[1], bytes: 1 }, "await");
    },
    await: ({ locals }) => call("read", { fd: (locals.back as number[])[0], bytes: 1 }, "next"),
    next: ({ locals, now }) => {
      locals.left = (locals.left as number) - 1;
      if (locals.left === 0) {
        const cycles = now - (locals.begun as number);
        return call("report", { name: "cycles", value: cycles }, "end");
      }
      return call("write", { fd: (locals.there as number[])[1], bytes: 1 }, "await");
    },
    end: () => exit(),
    echo: ({ locals }) => call("close", { fd: (locals.there as number[])[1] }, "listen"),
    listen: ({ locals }) => call("read", { fd: (locals.there as number[])[0], bytes: 1 }, "answer"),
    answer: ({ locals, value }) =>
      value === 0
        ? exit()
        : call("write", { fd: (locals.back as number[])[1], bytes: 1 }, "listen"),
  },
};

const spin: Program = {
  name: "spin",
  steps: { work: ({ locals }) => compute(locals.cycles as number, "done"), done: () => exit() },
};

function box(cpus: number, platform: Platform = flatPlatform("free", cpus > 1, {})): BareBox {
  return new BareBox({
    cpus,
    frequencyHz: 1_000_000_000,
    kernel: (machine) => {
      const kernel = new Kernel({ name: "test", machine, platform });
      const descriptors = new Descriptors(kernel);
      kernel.install(descriptors);
      kernel.install(new Pipes(kernel, descriptors));
      return kernel;
    },
  });
}

const SECOND = 1_000_000_000 as Cycle;

for (const cpus of [1, 2]) {
  Deno.test(`two processes play ping-pong over two pipes on ${cpus} CPUs, and both end`, () => {
    const { kernel, dispatcher } = box(cpus);
    kernel.spawn(pingPong, { locals: { rounds: 100 } });
    dispatcher.advance(SECOND);
    assertEquals(kernel.reports.map(({ name }) => name), ["cycles"]);
    assertEquals([...kernel.processes], []);
  });
}

Deno.test("what a round costs is the sum of the prices of what it does", () => {
  const cycles = (rounds: number, price: number) => {
    const { kernel, dispatcher } = box(1, flatPlatform("one price", false, { systemCall: price }));
    kernel.spawn(pingPong, { locals: { rounds } });
    dispatcher.advance(SECOND);
    return kernel.reports[0].value as number;
  };
  const perRound = (price: number) => (cycles(200, price) - cycles(100, price)) / 100;
  // A round is four calls, two of which sleep; each price is charged once.
  assertEquals(perRound(1100) - perRound(100), 4000);
});

Deno.test("processes that compute share one CPU by timeslices, and two CPUs halve the time", () => {
  const ended = (cpus: number) => {
    const { kernel, dispatcher, clock } = box(cpus);
    for (let i = 0; i < 4; i++) kernel.spawn(spin, { locals: { cycles: 250_000_000 } });
    dispatcher.advance(10 * SECOND as Cycle);
    assertEquals(kernel.processes.size, 0);
    return Math.round(clock.now / 1_000_000);
  };
  assertEquals([ended(1), ended(2)], [10_000, 10_000]);
});

Deno.test("a kernel that was saved and restored goes on as the one that was not", () => {
  const run = (saves: boolean) => {
    let { kernel, dispatcher, clock } = box(2);
    kernel.spawn(pingPong, { locals: { rounds: 1000 } });
    kernel.spawn(spin, { locals: { cycles: 5_000_000 } });
    dispatcher.advance(3000 as Cycle);
    if (saves) {
      const records = [clock.save(), kernel.save(), dispatcher.save()];
      ({ kernel, dispatcher, clock } = box(2));
      kernel.programs.add(pingPong);
      kernel.programs.add(spin);
      clock.restore(records[0]);
      kernel.restore(records[1]);
      dispatcher.restore(records[2]);
    }
    dispatcher.advance(SECOND);
    return { reports: kernel.reports, left: kernel.processes.size, counts: [...kernel.counts] };
  };
  assertEquals(run(true), run(false));
});
