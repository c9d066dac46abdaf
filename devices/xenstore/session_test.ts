import { assertEquals } from "@std/assert";
import { domainId } from "../../core/abi/ids.ts";
import { test } from "../../core/lib/testing.ts";
import { parsePermission, type Permissions } from "./permissions.ts";
import type { StoreSession } from "./session.ts";
import { StoreError } from "./store_error.ts";
import { textOf } from "./text.ts";
import { XenStore } from "./xenstore.ts";

const perms = (text: string) => text.split(",").map(parsePermission) as unknown as Permissions;

/** A store with homes for domains 1 and 2, as tools make them. */
function rig() {
  const store = new XenStore();
  const tools = store.open(domainId(0));
  for (const domain of [1, 2]) {
    tools.mkdir(`/local/domain/${domain}`);
    tools.setPermissions(`/local/domain/${domain}`, perms(`n${domain}`));
  }
  return { store, tools, one: store.open(domainId(1)), two: store.open(domainId(2)) };
}

/** A result as text: an error's name, a value, `ok`. */
function shown(result: unknown): string {
  if (result instanceof StoreError) return result.name;
  if (result instanceof Uint8Array) return textOf(result);
  if (result === null) return "ok";
  return JSON.stringify(result);
}

function events(session: StoreSession): string[] {
  const found: string[] = [];
  for (let event = session.takeEvent(); event; event = session.takeEvent()) {
    found.push(`${event.path} ${event.token}`);
  }
  return found;
}

type Rig = ReturnType<typeof rig>;
type Line = [
  who: "tools" | "one" | "two",
  what: (session: StoreSession) => unknown,
  expected: string,
];
const TRANSCRIPTS: [claim: string, lines: Line[]][] = [
  ["a write makes the nodes that are missing on the way", [
    ["tools", (s) => s.write("/a/b/c", "value"), "ok"],
    ["tools", (s) => s.read("/a/b/c"), "value"],
    ["tools", (s) => s.read("/a/b"), ""],
    ["tools", (s) => s.directory("/a")!, `{"names":["b"],"generation":5}`],
    ["tools", (s) => s.mkdir("/a/b/c"), "ok"],
    ["tools", (s) => s.read("/a/b/c"), "value"],
  ]],
  ["a relative path starts at the domain's home", [
    ["one", (s) => s.write("data/x", "1"), "ok"],
    ["tools", (s) => s.read("/local/domain/1/data/x"), "1"],
    ["one", (s) => s.read("/local/domain/1/data/x"), "1"],
    ["two", (s) => s.read("/local/domain/1/data/x"), "EACCES"],
  ]],
  ["what is not there is ENOENT to those who could see it, EACCES to others", [
    ["one", (s) => s.read("nothing"), "ENOENT"],
    ["two", (s) => s.read("/local/domain/1/nothing"), "EACCES"],
    ["tools", (s) => s.read("/nothing"), "ENOENT"],
    ["one", (s) => s.directory("nothing"), "ENOENT"],
    ["one", (s) => s.getPermissions("nothing"), "ENOENT"],
  ]],
  ["an unprivileged domain owns what it makes, with its parent's other permissions", [
    ["tools", (s) => s.setPermissions("/local/domain/1", perms("n1,r2")), "ok"],
    ["one", (s) => s.mkdir("device"), "ok"],
    [
      "one",
      (s) => s.getPermissions("device"),
      `[{"access":"n","domain":1},{"access":"r","domain":2}]`,
    ],
    ["two", (s) => s.read("/local/domain/1/device"), ""],
    ["two", (s) => s.write("/local/domain/1/device/x", "1"), "EACCES"],
    ["one", (s) => s.write("/local/domain/2/x", "1"), "EACCES"],
    ["one", (s) => s.write("/y", "1"), "EACCES"],
  ]],
  ["only the owner changes permissions, and not who owns", [
    ["one", (s) => s.write("x", "1"), "ok"],
    ["one", (s) => s.setPermissions("x", perms("b1,w2")), "ok"],
    ["two", (s) => s.write("/local/domain/1/x", "2"), "ok"],
    ["two", (s) => s.read("/local/domain/1/x"), "EACCES"],
    ["two", (s) => s.setPermissions("/local/domain/1/x", perms("n1")), "EACCES"],
    ["one", (s) => s.setPermissions("x", perms("n2")), "EPERM"],
    ["one", (s) => s.setPermissions("x", perms("n1,r2,r3,r4,r5,r6")), "ENOSPC"],
    ["tools", (s) => s.setPermissions("/local/domain/1/x", perms("n2,r1")), "ok"],
    ["two", (s) => s.write("/local/domain/1/x", "3"), "ok"],
  ]],
  ["removing takes everything below, and nothing is there to remove twice but its parent", [
    ["one", (s) => s.write("a/b/c", "1"), "ok"],
    ["two", (s) => s.remove("/local/domain/1/a"), "EACCES"],
    ["one", (s) => s.remove("a"), "ok"],
    ["one", (s) => s.read("a/b/c"), "ENOENT"],
    ["one", (s) => s.remove("a"), "ok"],
    ["one", (s) => s.remove("a/b"), "ENOENT"],
    ["tools", (s) => s.remove("/"), "EINVAL"],
  ]],
  ["paths that are not well formed are EINVAL", [
    ["tools", (s) => s.read("/a//b"), "EINVAL"],
    ["tools", (s) => s.read("/a/"), "EINVAL"],
    ["tools", (s) => s.read(""), "EINVAL"],
    ["tools", (s) => s.read("/a b"), "EINVAL"],
    ["tools", (s) => s.write("@introduceDomain", ""), "EINVAL"],
    ["tools", (s) => s.read(`/${"a".repeat(3072)}`), "EINVAL"],
    ["tools", (s) => s.read("a".repeat(2049)), "EINVAL"],
    ["tools", (s) => s.watch("@nothing", "t"), "EINVAL"],
  ]],
  ["introducing and releasing are for tools", [
    ["one", (s) => s.introduce(domainId(1)), "EACCES"],
    ["tools", (s) => s.release(domainId(1)), "ENOENT"],
    ["tools", (s) => s.introduce(domainId(1)), "ok"],
    ["one", (s) => s.isIntroduced(domainId(1)), "true"],
    ["tools", (s) => s.release(domainId(1)), "ok"],
    ["one", (s) => s.release(domainId(1)), "EACCES"],
  ]],
];

for (const [claim, lines] of TRANSCRIPTS) {
  test(claim, () => {
    const all: Rig = rig();
    lines.forEach(([who, what, expected], index) =>
      assertEquals(shown(what(all[who])), expected, `line ${index + 1}`)
    );
  });
}

test("a watch fires at once, then for its node and all below", () => {
  const { tools, one } = rig();
  assertEquals(shown(one.watch("device", "t1")), "ok");
  assertEquals(shown(one.watch("/local/domain/1/device", "t1")), "EEXIST");
  assertEquals(shown(one.watch("/local/domain/1", "t2")), "ok");
  assertEquals(events(one), ["device t1", "/local/domain/1 t2"]);
  tools.write("/local/domain/1/device/vif/0", "x");
  tools.write("/local/domain/1/devices", "y");
  assertEquals(events(one), [
    "device/vif/0 t1",
    "/local/domain/1/device/vif/0 t2",
    "/local/domain/1/devices t2",
  ]);
  tools.setPermissions("/local/domain/1/device", perms("n1"));
  tools.write("/local/domain/1/device", "z");
  assertEquals(events(one), ["device t1", "/local/domain/1/device t2"]);
  assertEquals(shown(one.unwatch("device", "t1")), "ok");
  assertEquals(shown(one.unwatch("device", "t1")), "ENOENT");
  tools.remove("/local/domain/1/device");
  assertEquals(events(one), ["/local/domain/1/device t2"]);
});

test("a watcher of a node that goes with its parent is told, once and by its name", () => {
  const { tools, one } = rig();
  one.write("a/b/c", "1");
  one.watch("a/b", "t");
  events(one);
  tools.remove("/local/domain/1/a");
  assertEquals(events(one), ["a/b t"]);
});

test("nobody hears of nodes that it may not read", () => {
  const { tools, one, two } = rig();
  two.watch("/local/domain/1", "t");
  events(two);
  one.write("x", "1");
  assertEquals(events(two), []);
  tools.setPermissions("/local/domain/1/x", perms("n1,r2"));
  assertEquals(events(two), ["/local/domain/1/x t"]);
});

test("domains that come and go are told to tools only", () => {
  const { store, tools, one } = rig();
  for (const session of [tools, one]) {
    session.watch("@introduceDomain", "in");
    session.watch("@releaseDomain", "out");
    events(session);
  }
  tools.introduce(domainId(1));
  store.domainDied(domainId(1));
  assertEquals([events(tools), events(one)], [["@introduceDomain in", "@releaseDomain out"], []]);
});

test("a transaction is unseen until it is committed, then its events come in order", () => {
  const { tools, one } = rig();
  tools.watch("/local/domain/1", "t");
  events(tools);
  const id = one.startTransaction() as number;
  one.write("a", "1", id);
  one.write("b", "2", id);
  one.write("a", "3", id);
  assertEquals([one.readText("a", id), one.readText("a"), events(tools)], ["3", null, []]);
  assertEquals(shown(one.endTransaction(id, "commit")), "ok");
  assertEquals([one.readText("a"), events(tools)], [
    "3",
    ["/local/domain/1/a t", "/local/domain/1/b t"],
  ]);
  assertEquals(shown(one.endTransaction(id, "commit")), "ENOENT");
  assertEquals(shown(one.read("a", id)), "ENOENT");
});

const CONFLICTS: [
  claim: string,
  inside: (s: StoreSession, id: number) => unknown,
  outside: (s: StoreSession) => unknown,
  expected: string,
][] = [
  ["reads what another writes", (s, id) => s.read("x", id), (s) => s.write("x", "2"), "EAGAIN"],
  ["reads what another removes", (s, id) => s.read("x", id), (s) => s.remove("x"), "EAGAIN"],
  ["misses what another makes", (s, id) => s.read("new", id), (s) => s.write("new", "2"), "EAGAIN"],
  [
    "lists what another adds to",
    (s, id) => s.directory("dir", id),
    (s) => s.write("dir/y", ""),
    "EAGAIN",
  ],
  [
    "writes where another writes",
    (s, id) => s.write("x", "3", id),
    (s) => s.write("x", "2"),
    "EAGAIN",
  ],
  [
    "reads beside what another writes",
    (s, id) => s.read("x", id),
    (s) => s.write("dir/y", "2"),
    "ok",
  ],
  [
    "reads what it wrote itself",
    (s, id) => {
      s.write("dir/a/b", "1", id);
      return [s.read("dir/a", id), s.read("dir/a/b", id), s.remove("x", id), s.read("x", id)];
    },
    (s) => s.write("other", ""),
    "EAGAIN",
  ],
  ["aborts after a conflict", (s, id) => s.read("x", id), (s) => s.write("x", "2"), "ok"],
];

for (const [claim, inside, outside, expected] of CONFLICTS) {
  test(`a transaction that ${claim} ends with ${expected}`, () => {
    const { one } = rig();
    one.write("x", "1");
    one.mkdir("dir");
    const id = one.startTransaction() as number;
    inside(one, id);
    outside(one);
    const how = claim.startsWith("aborts") ? "abort" : "commit";
    assertEquals(shown(one.endTransaction(id, how)), expected);
  });
}

test("a transaction that only reads back its own changes does not conflict with itself", () => {
  const { one } = rig();
  one.write("x", "1");
  const id = one.startTransaction() as number;
  one.write("dir/a/b", "1", id);
  one.remove("x", id);
  assertEquals([shown(one.read("dir/a", id)), shown(one.read("x", id))], ["", "ENOENT"]);
  assertEquals(shown(one.endTransaction(id, "commit")), "ok");
  assertEquals([one.readText("dir/a/b"), one.readText("x")], ["1", null]);
});

test("quotas bound what an unprivileged domain can make the store hold", () => {
  const { store, one } = rig();
  for (let i = 0; i < 999; i++) assertEquals(one.write(`n${i}`, ""), null);
  assertEquals(shown(one.write("one-more", "")), "ENOSPC");
  one.remove("n0");
  assertEquals([shown(one.write("a/b", "")), shown(one.write("a", ""))], ["ENOSPC", "ok"]);
  assertEquals(store.nodesOwnedBy(domainId(1)), 1000);
  assertEquals(shown(one.write("a", new Uint8Array(2049))), "ENOSPC");
  for (let i = 0; i < 128; i++) assertEquals(one.watch("a", `${i}`), null);
  assertEquals(shown(one.watch("a", "last")), "E2BIG");
  for (let i = 0; i < 10; i++) assertEquals(typeof one.startTransaction(), "number");
  assertEquals(shown(one.startTransaction()), "ENOSPC");
});

test("events that nobody takes are bounded, and the same one waits once", () => {
  const { tools, one } = rig();
  one.watch("/local/domain/1", "t");
  for (let i = 0; i < 1500; i++) tools.write(`/local/domain/1/${i}`, "");
  for (let i = 0; i < 1500; i++) tools.write(`/local/domain/1/${i}`, "");
  assertEquals(events(one).length, 1024);
});

test("a snapshot keeps the tree, watches, transactions and events", () => {
  const first = rig();
  first.one.write("a/b", "1");
  first.tools.watch("/local", "t");
  const id = first.one.startTransaction() as number;
  first.one.write("a/b", "2", id);
  first.one.write("c", "3", id);
  first.tools.introduce(domainId(1));
  const record = first.store.save();
  const second = rig();
  second.store.restore(record);
  assertEquals(second.store.save(), record);
  for (const { one, tools } of [first, second]) {
    assertEquals(shown(one.endTransaction(id, "commit")), "ok");
    assertEquals(one.readText("a/b"), "2");
    assertEquals(events(tools), ["/local t", "/local/domain/1/a/b t", "/local/domain/1/c t"]);
  }
  assertEquals(second.store.save(), first.store.save());
});
