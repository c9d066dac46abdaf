import { assertEquals, assertThrows } from "@std/assert";
import { ERRNO } from "../abi/errno.ts";
import { domainId, DOMID, eventPort } from "../abi/ids.ts";
import { test } from "../lib/testing.ts";
import { DOM0, DOM1, DOM2, EventRig } from "./event_channels/testing/rig.ts";
import { LabelPolicy } from "./policy.ts";

test("labels in conflict do not meet, all others do", () => {
  const policy = new LabelPolicy([["bank A", "bank B"], ["oil A", "oil B", "oil C"]]);
  const labels = ["control", "bank A", "bank B", "oil A", "oil C", "bank A"];
  labels.forEach((label, id) => policy.label(domainId(id), label));
  const meets = (by: number, of: number) =>
    policy.allows({ what: "map", by: domainId(by), of: domainId(of) });
  assertEquals([meets(1, 2), meets(2, 1), meets(3, 4)], [false, false, false]);
  assertEquals([meets(1, 3), meets(1, 5), meets(1, 1), meets(1, 99)], [true, true, true, true]);
  assertEquals([meets(0, 2), meets(2, 0)], [true, true]);
  assertThrows(() => new LabelPolicy([["alone", "alone"]]), RangeError, "two labels");
});

test("an event channel between labels in conflict is EPERM", () => {
  const policy = new LabelPolicy([["a", "b"]]);
  policy.label(DOM1, "a");
  policy.label(DOM2, "b");
  const rig = new EventRig();
  rig.refuses = (check) => !policy.allows(check);
  assertEquals(rig.events.allocUnbound(DOM1, DOMID.SELF, DOM2), ERRNO.EPERM);
  const port = rig.events.allocUnbound(DOM1, DOMID.SELF, DOM0);
  assertEquals(rig.events.bindInterdomain(DOM0, DOM1, eventPort(port)) > 0, true);
});
