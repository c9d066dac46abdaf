import { assertEquals } from "@std/assert";
import { ERRNO, errnoName } from "../../abi/errno.ts";
import { EVTCHN_STRUCTS, EVTCHNSTAT, FIFO_CONTROL_BLOCK, VIRQ } from "../../abi/event_channel.ts";
import { domainId, DOMID } from "../../abi/ids.ts";
import { test } from "../../lib/testing.ts";
import { DOM0, DOM1, DOM2, EventRig, gfn, port, sharedInfo, vcpu } from "./testing/rig.ts";

test("structures have the offsets of event_channel.h", () => {
  const { status, init_control, alloc_unbound } = EVTCHN_STRUCTS;
  assertEquals(
    (["status", "vcpu", "detail", "detail_port"] as const).map((f) => status.offsetOf(f)),
    [8, 12, 16, 20],
  );
  assertEquals(init_control.offsetOf("link_bits"), 16);
  assertEquals(alloc_unbound.offsetOf("port"), 4);
  assertEquals(FIFO_CONTROL_BLOCK.offsetOf("head"), 8);
});

test("an interdomain event sets the peer's bit and raises its upcall once until it is taken", () => {
  for (const to of [DOM1, DOM2]) {
    const rig = new EventRig();
    rig.connect(DOM0, to);
    const { near, far } = rig.connect(DOM0, to);
    rig.consume(to);
    assertEquals([rig.events.send(DOM0, near), rig.events.send(DOM0, near)], [0, 0]);
    assertEquals(rig.log, [`upcall ${to}.0`]);
    assertEquals(rig.events.isPending(to, far), true);
    assertEquals(rig.consume(to), [far]);
    assertEquals(rig.consume(to), []);
    rig.events.send(DOM0, near);
    assertEquals([rig.log.length, rig.consume(to)], [2, [far]]);
  }
});

test("who binds to a waiting port finds an event pending, in case one was sent before", () => {
  const rig = new EventRig();
  const far = rig.events.allocUnbound(DOM1, DOMID.SELF, DOM2);
  assertEquals(rig.events.send(DOM1, port(far)), 0);
  const near = rig.events.bindInterdomain(DOM2, DOM1, port(far));
  assertEquals([rig.log, rig.consume(DOM2), rig.consume(DOM1)], [["upcall 2.0"], [near], []]);
});

test("a masked event waits, and unmasking delivers it", () => {
  const rig = new EventRig();
  const { near, far } = rig.connect(DOM0, DOM2);
  rig.setMask(DOM2, far, true);
  rig.events.send(DOM0, near);
  assertEquals([rig.log, rig.consume(DOM2)], [[], []]);
  assertEquals(rig.events.unmask(DOM2, far), 0);
  assertEquals([rig.log, rig.consume(DOM2)], [["upcall 2.0"], [far]]);
});

test("virtual interrupts and IPIs reach the virtual CPU that they are bound to", () => {
  const rig = new EventRig();
  const timer = rig.events.bindVirq(DOM1, VIRQ.TIMER, vcpu(1));
  const ipi = rig.events.bindIpi(DOM1, vcpu(0));
  const console = rig.events.bindVirq(DOM1, VIRQ.CONSOLE, vcpu(0));
  rig.events.raiseVirq(DOM1, VIRQ.TIMER, vcpu(0));
  assertEquals(rig.log, []);
  rig.events.raiseVirq(DOM1, VIRQ.TIMER, vcpu(1));
  assertEquals([rig.log, rig.consume(DOM1, 1)], [["upcall 1.1"], [timer]]);
  rig.events.send(DOM1, port(ipi));
  rig.events.raiseVirq(DOM1, VIRQ.CONSOLE);
  assertEquals(rig.consume(DOM1, 0), [ipi, console]);
  assertEquals(rig.events.bindVcpu(DOM1, port(console), vcpu(1)), 0);
  rig.events.raiseVirq(DOM1, VIRQ.CONSOLE);
  assertEquals([rig.consume(DOM1, 0), rig.consume(DOM1, 1)], [[], [console]]);
});

test("a closed channel leaves its peer waiting for the same domain", () => {
  const rig = new EventRig();
  const { near, far } = rig.connect(DOM0, DOM1);
  rig.events.send(DOM0, near);
  assertEquals(rig.events.close(DOM1, far), 0);
  assertEquals(rig.events.isPending(DOM1, far), false);
  const status = rig.events.status(DOM0, DOMID.SELF, near);
  assertEquals(status, {
    status: EVTCHNSTAT.unbound,
    vcpu: vcpu(0),
    binding: { kind: "unbound", remote: DOM1 },
  });
  const again = rig.events.bindInterdomain(DOM1, DOM0, near);
  assertEquals(again, far);
});

test("a dying domain's channels close, and it may be attached anew", () => {
  const rig = new EventRig();
  const { near } = rig.connect(DOM0, DOM1);
  rig.events.detach(DOM1);
  assertEquals(rig.events.send(DOM0, near), 0);
  assertEquals(rig.events.allocUnbound(DOM0, DOM1, DOM0), ERRNO.ESRCH);
  assertEquals([...rig.events.list(DOM0)].map(({ channel }) => channel.binding), [
    { kind: "unbound", remote: DOM1 },
  ]);
});

test("a poller goes on when one of its ports becomes pending, masked or not", () => {
  const rig = new EventRig();
  const { near, far } = rig.connect(DOM0, DOM1);
  const other = rig.connect(DOM0, DOM1);
  rig.consume(DOM1);
  rig.setMask(DOM1, far, true);
  assertEquals(rig.events.startPolling(DOM1, vcpu(1), [far]), "polling");
  rig.events.send(DOM0, other.near);
  assertEquals(rig.log, ["upcall 1.0"]);
  rig.events.send(DOM0, near);
  assertEquals(rig.log, ["upcall 1.0", "poller 1.1"]);
  assertEquals(rig.events.startPolling(DOM1, vcpu(1), [far]), "pending");
  assertEquals(rig.events.startPolling(DOM1, vcpu(1), [port(999)]), ERRNO.EINVAL);
  rig.events.startPolling(DOM1, vcpu(1), [port(5)]);
  rig.events.stopPolling(DOM1, vcpu(1));
});

test("a consumer hears its channel, and the guest may neither close nor see it", () => {
  const rig = new EventRig();
  const heard: number[][] = [];
  rig.events.registerConsumer("netback", (...event) => heard.push(event));
  const far = rig.events.allocUnbound(DOM1, DOM1, DOM0);
  const near = rig.events.bindInterdomain(DOM0, DOM1, port(far), { consumer: "netback" });
  assertEquals(heard, [[0, 0, near]]);
  rig.events.send(DOM1, port(far));
  assertEquals([heard.length, rig.events.isPending(DOM0, port(near))], [2, false]);
  assertEquals(rig.events.close(DOM0, port(near)), ERRNO.EINVAL);
  assertEquals(rig.events.send(DOM0, port(near)), ERRNO.EINVAL);
  assertEquals(rig.events.status(DOM0, DOM0, port(near)), ERRNO.EACCES);
  assertEquals(rig.events.sendAsConsumer(DOM0, port(near)), 0);
  assertEquals(rig.consume(DOM1), [far]);
  rig.events.reset(DOM0, DOM0);
  assertEquals(rig.events.closeAsConsumer(DOM0, port(near)), 0);
});

type Attempt = (rig: EventRig) => unknown;
const FREE = port(60);
const BEYOND = port(64);

const ERRORS: [claim: string, attempt: Attempt, expected: string][] = [
  [
    "alloc_unbound of no domain",
    ({ events }) => events.allocUnbound(DOM0, domainId(9), DOM0),
    "ESRCH",
  ],
  ["alloc_unbound of another's", ({ events }) => events.allocUnbound(DOM1, DOM2, DOM1), "EPERM"],
  [
    "bind_interdomain to no domain",
    ({ events }) => events.bindInterdomain(DOM1, domainId(9), FREE),
    "ESRCH",
  ],
  [
    "bind_interdomain to a free port",
    ({ events }) => events.bindInterdomain(DOM1, DOM2, FREE),
    "EINVAL",
  ],
  ["bind_interdomain to somebody else's port", ({ events }) => {
    const far = events.allocUnbound(DOM2, DOM2, DOM0);
    return events.bindInterdomain(DOM1, DOM2, port(far));
  }, "EINVAL"],
  ["bind_virq of no VIRQ", ({ events }) => events.bindVirq(DOM1, 24, vcpu(0)), "EINVAL"],
  [
    "bind_virq of a global one to CPU 1",
    ({ events }) => events.bindVirq(DOM1, VIRQ.CONSOLE, vcpu(1)),
    "EINVAL",
  ],
  ["bind_virq to no CPU", ({ events }) => events.bindVirq(DOM1, VIRQ.TIMER, vcpu(2)), "ENOENT"],
  ["bind_virq twice", ({ events }) => {
    events.bindVirq(DOM1, VIRQ.TIMER, vcpu(1));
    return events.bindVirq(DOM1, VIRQ.TIMER, vcpu(1));
  }, "EEXIST"],
  ["bind_ipi to no CPU", ({ events }) => events.bindIpi(DOM1, vcpu(2)), "ENOENT"],
  ["bind_pirq", ({ events }) => events.bindPirq(DOM1, 4), "EPERM"],
  ["close of port 0", ({ events }) => events.close(DOM1, port(0)), "EINVAL"],
  ["close of a free port", ({ events }) => events.close(DOM1, FREE), "EINVAL"],
  ["close beyond the bucket", ({ events }) => events.close(DOM1, BEYOND), "EINVAL"],
  ["send to a virtual interrupt", ({ events }) => {
    return events.send(DOM1, port(events.bindVirq(DOM1, VIRQ.TIMER, vcpu(0))));
  }, "EINVAL"],
  ["send to a free port", ({ events }) => events.send(DOM1, FREE), "EINVAL"],
  ["send that the policy refuses", (rig) => {
    const { near } = rig.connect(DOM1, DOM2);
    rig.refuses = ({ what }) => what === "send";
    return rig.events.send(DOM1, near);
  }, "EPERM"],
  ["status of no domain", ({ events }) => events.status(DOM0, domainId(9), FREE), "ESRCH"],
  ["status of another's", ({ events }) => events.status(DOM1, DOM2, FREE), "EPERM"],
  ["status beyond the bucket", ({ events }) => events.status(DOM1, DOM1, BEYOND), "EINVAL"],
  ["bind_vcpu to no CPU", ({ events }) => events.bindVcpu(DOM1, FREE, vcpu(2)), "ENOENT"],
  ["bind_vcpu of a free port", ({ events }) => events.bindVcpu(DOM1, FREE, vcpu(1)), "EINVAL"],
  ["bind_vcpu of an IPI", ({ events }) => {
    return events.bindVcpu(DOM1, port(events.bindIpi(DOM1, vcpu(0))), vcpu(1));
  }, "EINVAL"],
  ["unmask beyond the bucket", ({ events }) => events.unmask(DOM1, BEYOND), "EINVAL"],
  ["reset of another's", ({ events }) => events.reset(DOM1, DOM2), "EPERM"],
  ["reset of no domain", ({ events }) => events.reset(DOM0, domainId(9)), "ESRCH"],
  [
    "init_control of no CPU",
    ({ events }) => events.initControl(DOM1, gfn(1), 0, vcpu(2)),
    "ENOENT",
  ],
  [
    "init_control across the page's end",
    ({ events }) => events.initControl(DOM1, gfn(1), 4032, vcpu(0)),
    "EINVAL",
  ],
  [
    "init_control unaligned",
    ({ events }) => events.initControl(DOM1, gfn(1), 4, vcpu(0)),
    "EINVAL",
  ],
  [
    "init_control of a frame that cannot be had",
    ({ events }) => events.initControl(DOM1, gfn(1000), 0, vcpu(0)),
    "EINVAL",
  ],
  ["init_control twice", ({ events }) => {
    events.initControl(DOM1, gfn(1), 0, vcpu(0));
    return events.initControl(DOM1, gfn(2), 0, vcpu(0));
  }, "EINVAL"],
  [
    "expand_array before init_control",
    ({ events }) => events.expandArray(DOM1, gfn(1)),
    "EOPNOTSUPP",
  ],
  [
    "set_priority in the two-level ABI",
    ({ events }) => events.setPriority(DOM1, FREE, 3),
    "ENOSYS",
  ],
  ["set_priority of 16", ({ events }) => {
    events.initControl(DOM1, gfn(1), 0, vcpu(0));
    return events.setPriority(DOM1, FREE, 16);
  }, "EINVAL"],
];

for (const [claim, attempt, expected] of ERRORS) {
  test(`${claim} is ${expected}`, () => {
    assertEquals(errnoName(attempt(new EventRig()) as number), expected);
  });
}

test("a domain has as many ports as it was given, and as the two-level ABI can name", () => {
  const few = new EventRig(100);
  for (let i = 1; i <= 100; i++) assertEquals(few.events.bindIpi(DOM1, vcpu(0)), i);
  assertEquals(few.events.bindIpi(DOM1, vcpu(0)), ERRNO.ENOSPC);
  few.events.close(DOM1, port(50));
  assertEquals(few.events.bindIpi(DOM1, vcpu(0)), 50);
  const many = new EventRig(100_000);
  for (let i = 1; i < 1024; i++) many.events.bindIpi(DOM2, vcpu(0));
  assertEquals(many.events.bindIpi(DOM2, vcpu(0)), ERRNO.ENOSPC);
});

test("a snapshot keeps bindings, pollers and what is pending", () => {
  const rig = new EventRig();
  const { near, far } = rig.connect(DOM0, DOM1);
  rig.consume(DOM1);
  rig.events.bindVirq(DOM1, VIRQ.TIMER, vcpu(1));
  rig.events.startPolling(DOM1, vcpu(1), [far]);
  rig.events.initControl(DOM2, gfn(1), 0, vcpu(1));
  const record = rig.events.save();
  const other = new EventRig();
  other.events.restore(record);
  assertEquals(other.events.save(), record);
  other.events.send(DOM0, near);
  assertEquals(other.log, ["upcall 1.0", "poller 1.1"]);
  assertEquals(other.events.bindVirq(DOM1, VIRQ.TIMER, vcpu(1)), ERRNO.EEXIST);
  assertEquals(other.memory.frames.has(sharedInfo(1)), true);
});
