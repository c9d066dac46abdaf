import { assertEquals } from "@std/assert";
import { domainId, machineFrame } from "../../core/abi/ids.ts";
import { SparseFrames } from "../../core/hypervisor/testing/sparse_frames.ts";
import { test } from "../../core/lib/testing.ts";
import { RingConnection } from "./ring_connection.ts";
import { type Message, RingClient } from "./testing/ring_client.ts";
import { XenStore } from "./xenstore.ts";

const FRAME = machineFrame(9);

function rig() {
  const memory = new SparseFrames();
  const store = new XenStore();
  const tools = store.open(domainId(0));
  tools.mkdir("/local/domain/1");
  tools.setPermissions("/local/domain/1", [{ domain: domainId(1), access: "n" }]);
  let events = 0;
  const session = store.open(domainId(1));
  const connection = new RingConnection({ memory, frame: FRAME, session, notify: () => events++ });
  const client = new RingClient(memory, FRAME);
  /** Runs until both sides have nothing more to do. */
  const settle = (): Message[] => {
    const found: Message[] = [];
    for (let round = 0; round < 200; round++) {
      const { done } = connection.step();
      const messages = client.receive();
      found.push(...messages);
      if (messages.length === 0 && !done.copiedBytes) break;
    }
    return found;
  };
  const ask = (...request: Parameters<RingClient["request"]>) => {
    client.send(client.request(...request));
    return settle();
  };
  return { memory, store, tools, connection, client, settle, ask, events: () => events };
}

type Ask = Parameters<RingClient["request"]>;
// Who asks is domain 1; "|" stands for a zero byte, as in docs/misc/xenstore.txt.
const TRANSCRIPT: [request: Ask, replies: string[]][] = [
  [["WRITE", "a|value"], ["WRITE OK|"]],
  [["READ", "a|"], ["READ value"]],
  [["READ", "b|"], ["ERROR ENOENT|"]],
  [["READ", "/local/domain/2/x|"], ["ERROR EACCES|"]],
  [["READ", "a"], ["ERROR EINVAL|"]],
  [["READ", ""], ["ERROR EINVAL|"]],
  [["WRITE", "a"], ["ERROR EINVAL|"]],
  [["MKDIR", "dir/sub|"], ["MKDIR OK|"]],
  [["DIRECTORY", "/local/domain/1|"], ["DIRECTORY a|dir|"]],
  [["DIRECTORY", "a|"], ["DIRECTORY "]],
  [["DIRECTORY_PART", "dir|0|"], ["DIRECTORY_PART 4|sub||"]],
  [["DIRECTORY_PART", "dir|x|"], ["ERROR EINVAL|"]],
  [["GET_PERMS", "a|"], ["GET_PERMS n1|"]],
  [["SET_PERMS", "a|n1|r2|"], ["SET_PERMS OK|"]],
  [["GET_PERMS", "a|"], ["GET_PERMS n1|r2|"]],
  [["SET_PERMS", "a|x1|"], ["ERROR EINVAL|"]],
  [["SET_PERMS", "a|"], ["ERROR EINVAL|"]],
  [["WATCH", "a|token|"], ["WATCH OK|", "WATCH_EVENT a|token|"]],
  [["WRITE", "a|new"], ["WRITE OK|", "WATCH_EVENT a|token|"]],
  [["UNWATCH", "a|token|"], ["UNWATCH OK|"]],
  [["UNWATCH", "a|token|"], ["ERROR ENOENT|"]],
  [["WATCH", "a|token|"], ["WATCH OK|", "WATCH_EVENT a|token|"]],
  [["RESET_WATCHES", "|"], ["RESET_WATCHES OK|"]],
  [["TRANSACTION_START", "|"], ["TRANSACTION_START 1|"]],
  [["TRANSACTION_START", "|", 1], ["ERROR EBUSY|"]],
  [["WRITE", "a|inside", 1], ["WRITE OK|"]],
  [["READ", "a|"], ["READ new"]],
  [["TRANSACTION_END", "X|", 1], ["ERROR EINVAL|"]],
  [["TRANSACTION_END", "T|", 1], ["TRANSACTION_END OK|"]],
  [["READ", "a|"], ["READ inside"]],
  [["READ", "a|", 1], ["ERROR ENOENT|"]],
  [["RM", "a|"], ["RM OK|"]],
  [["GET_DOMAIN_PATH", "7|"], ["GET_DOMAIN_PATH /local/domain/7|"]],
  [["GET_DOMAIN_PATH", "seven|"], ["ERROR EINVAL|"]],
  [["IS_DOMAIN_INTRODUCED", "1|"], ["IS_DOMAIN_INTRODUCED F|"]],
  [["INTRODUCE", "1|2|3|"], ["ERROR EACCES|"]],
  [["RELEASE", "1|"], ["ERROR EACCES|"]],
  [["CONTROL", "help|"], ["ERROR ENOSYS|"]],
  [["SET_TARGET", "1|2|"], ["ERROR ENOSYS|"]],
];

test("the wire protocol is that of xenstore.txt", () => {
  const { ask } = rig();
  TRANSCRIPT.forEach(([request, replies], index) => {
    const found = ask(...request).map(([type, id, payload]) => {
      assertEquals(id, type === "WATCH_EVENT" ? 0 : index + 1);
      return `${type} ${payload}`;
    });
    assertEquals(found, replies, request.join(" "));
  });
});

test("a listing that no message holds comes in parts", () => {
  const { tools, ask } = rig();
  const names = Array.from({ length: 700 }, (_, index) => `name-${index}`);
  for (const name of names) tools.write(`/local/domain/1/big/${name}`, "");
  assertEquals(ask("DIRECTORY", "big|")[0].slice(0, 1), ["ERROR"]);
  let found = "";
  for (let part = 0; part < 3 && !found.endsWith("||"); part++) {
    const [[, , payload]] = ask("DIRECTORY_PART", `big|${found.length}|`);
    found += payload.slice(payload.indexOf("|") + 1);
  }
  assertEquals(found, names.map((name) => `${name}|`).join("") + "|");
});

test("requests and replies longer than the ring pass through it in pieces", () => {
  const { client, connection, ask } = rig();
  const request = client.request("WRITE", `big|${"x".repeat(2000)}`);
  for (let sent = 0; sent < request.length;) {
    sent += client.send(request.subarray(sent));
    connection.step();
  }
  connection.step();
  assertEquals(client.receive()[0].slice(0, 1), ["WRITE"]);
  assertEquals(ask("READ", "big|")[0][2].length, 2000);
});

test("a guest that does not read its replies is not served further", () => {
  const { client, connection } = rig();
  let served = 0;
  for (let round = 0; round < 500; round++) {
    client.send(client.request("READ", "|"));
    served += connection.step().done.storeOperations ?? 0;
  }
  // Each reply has 16 bytes and an error of 7: 1 KiB is in the ring, 16 KiB behind it.
  assertEquals(served < 800, true);
  assertEquals(client.receive().length > 40, true);
});

test("a payload longer than 4096 bytes ends the connection, as the page says", () => {
  const { client, connection, memory, events } = rig();
  const request = client.request("WRITE", "a|b");
  new DataView(request.buffer).setUint32(12, 4097, true);
  client.send(request);
  connection.step();
  assertEquals([connection.isBroken, memory.read32(FRAME, 2072), events()], [true, 3, 1]);
  client.send(client.request("READ", "a|"));
  assertEquals(connection.step(), { done: {}, more: false });
});

test("impossible counters end the connection, as the page says", () => {
  for (const counter of [2048, 2052, 2056, 2060]) {
    const { connection, memory } = rig();
    memory.write32(FRAME, counter, 0x5000);
    connection.step();
    assertEquals([connection.isBroken, memory.read32(FRAME, 2072)], [true, 2]);
  }
});

test("a step carries out sixteen requests, and says that there is more", () => {
  const { client, connection } = rig();
  for (let i = 0; i < 40; i++) client.send(client.request("READ", "a|"));
  const { done, more } = connection.step();
  assertEquals([done.storeOperations, more], [16, true]);
});

test("a snapshot keeps half a request and half a reply", () => {
  const one = rig();
  one.tools.write("/local/domain/1/a", "x".repeat(1500));
  one.client.send(one.client.request("READ", "a|"));
  one.client.send(one.client.request("WRITE", "b|1").subarray(0, 9));
  one.connection.step();
  const record = one.connection.save();
  const { connection } = rig();
  connection.restore(record);
  assertEquals(connection.save(), record);
});
