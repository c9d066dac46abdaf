import { assertEquals } from "@std/assert";
import { BLKIF_OP, BLKIF_REQUEST, BLKIF_RESPONSE } from "../../../core/abi/io/blkif.ts";
import type { GrantReference } from "../../../core/abi/ids.ts";
import { GTF } from "../../../core/abi/grant_table.ts";
import { test } from "../../../core/lib/testing.ts";
import type { DiskCommand } from "../../scsi/mod.ts";
import { FRONT, FrontRig, FrontRing } from "../testing/front_rig.ts";
import { ReferenceBlockBackEnd } from "./reference_blkback.ts";

const SECTORS = 1000;

/** A back end on a disk that keeps commands until told to finish. */
function rig(room = 32) {
  const front = new FrontRig();
  const commands: DiskCommand[] = [];
  const disk = {
    get room() {
      return room - commands.length;
    },
    submit: (command: DiskCommand) => void commands.push(command),
  };
  const name = "blkback.1";
  const options = { host: front.host, frontDomain: FRONT, name, disk, sectors: SECTORS };
  const back = new ReferenceBlockBackEnd(options);
  const frame = front.frame();
  const ring = new FrontRing(front.memory, frame, 32, BLKIF_REQUEST.sizeBytes("lp64"));
  const port = front.port();
  const offer = { domain: FRONT, eventPort: port, rings: [front.grant(frame)] };
  const ask = (...requests: Uint8Array[]) => {
    if (ring.push(...requests)) front.host.events.send(FRONT, port);
  };
  const answers = () =>
    ring.take().map((bytes) => {
      const { id, status } = BLKIF_RESPONSE.read(bytes, 0, "lp64");
      return [Number(id), status];
    });
  /** The disk is done with the command that it has had for longest. */
  const finish = () => back.completed(commands.shift()!.tag);
  return { front, back, commands, offer, ask, answers, finish, options };
}

function request(operation: number, id: number, sector: number, pages: GrantReference[]) {
  return BLKIF_REQUEST.toBytes({
    operation,
    nr_segments: pages.length,
    id: BigInt(id),
    sector_number: BigInt(sector),
    seg: pages.map((gref) => ({ gref, first_sect: 0, last_sect: 7 })),
  }, "lp64");
}

test("a request is the disk's until it is done, and its pages are held as long", () => {
  const { front, back, commands, offer, ask, answers, finish } = rig();
  assertEquals(back.connect(offer), true);
  const pages = [front.grant(front.frame()), front.grant(front.frame())];
  ask(request(BLKIF_OP.WRITE, 7, 40, pages));
  assertEquals(commands, [{ tag: 1, sector: 40, count: 16, write: true }]);
  assertEquals([answers(), front.grantRig.held.length], [[], 3]);
  finish();
  assertEquals([answers(), front.grantRig.held.length], [[[7, 0]], 1]);
  assertEquals(back.takeWork(), { requests: 1, events: 1, grantOperations: 4 });
});

test("what the disk has no room for stays in the ring until it has", () => {
  const { front, back, commands, offer, ask, answers, finish } = rig(2);
  back.connect(offer);
  const page = [front.grant(front.frame())];
  ask(...[1, 2, 3, 4].map((id) => request(BLKIF_OP.READ, id, id * 8, page)));
  assertEquals(commands.map(({ sector }) => sector), [8, 16]);
  finish();
  assertEquals(commands.map(({ sector }) => sector), [16, 24]);
  while (commands.length > 0) finish();
  assertEquals(answers(), [1, 2, 3, 4].map((id) => [id, 0]));
});

test("requests that cannot be right are answered at once, and the next one is served", () => {
  const { front, back, commands, offer, ask, answers } = rig();
  back.connect(offer);
  const good = front.grant(front.frame());
  const readOnly = front.grant(front.frame(), GTF.readonly);
  ask(
    request(BLKIF_OP.READ, 1, SECTORS - 7, [good]),
    request(BLKIF_OP.READ, 2, 0, [good, readOnly]),
    request(BLKIF_OP.WRITE, 3, 0, [400 as GrantReference]),
    request(99, 4, 0, [good]),
    request(BLKIF_OP.FLUSH_DISKCACHE, 5, 0, []),
    request(BLKIF_OP.READ, 6, 0, [good]),
  );
  assertEquals(answers(), [[1, -1], [2, -1], [3, -1], [4, -2], [5, 0]]);
  assertEquals([commands.length, front.grantRig.held.length], [1, 2]);
});

test("a front end that goes leaves nothing held, and a disk that is done later harms nobody", () => {
  const { front, back, commands, offer, ask, options } = rig();
  back.connect(offer);
  ask(request(BLKIF_OP.READ, 1, 0, [front.grant(front.frame())]));
  back.disconnect();
  assertEquals(front.grantRig.held, []);
  back.completed(commands[0].tag);
  const bad = { ...offer, rings: [400 as GrantReference] };
  assertEquals(new ReferenceBlockBackEnd(options).connect(bad), false);
});

test("a snapshot keeps what is on its way", () => {
  const { front, back, commands, offer, ask, answers, options } = rig();
  back.connect(offer);
  ask(request(BLKIF_OP.READ, 9, 0, [front.grant(front.frame())]));
  const record = back.save();
  front.host.events.unregisterConsumer(options.name);
  const other = new ReferenceBlockBackEnd(options);
  other.restore(record);
  assertEquals(other.save(), record);
  other.completed(commands[0].tag);
  assertEquals([answers(), front.grantRig.held.length], [[[9, 0]], 1]);
});
