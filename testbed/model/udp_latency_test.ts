import { assert, assertEquals } from "@std/assert";
import { measureUdpLatency } from "./udp_latency.ts";

const EIGHT = { domains: 8, seconds: 10, seed: 1 };

Deno.test("a domain that idles answers sooner than one that computes beside the same seven", async () => {
  const busy = await measureUdpLatency({ ...EIGHT, isBusy: true });
  const idle = await measureUdpLatency({ ...EIGHT, isBusy: false });
  assert(busy.answered >= busy.sent - 1 && idle.answered >= idle.sent - 1);
  // Four domains on each CPU, 5 ms each: a round takes 20 ms.
  assert(busy.worstMs > idle.meanMs, `${busy.worstMs} ${idle.meanMs}`);
  assert(idle.meanMs < 6, `${idle.meanMs}`);
});

Deno.test("an echo's delays are the same in two runs", async () => {
  const run = () => measureUdpLatency({ ...EIGHT, seconds: 3, isBusy: true });
  assertEquals(await run(), await run());
});
