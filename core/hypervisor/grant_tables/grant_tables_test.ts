import { assertEquals } from "@std/assert";
import { ERRNO } from "../../abi/errno.ts";
import { GNTCOPY, GNTMAP, GNTTAB_STRUCTS, grantStatusName, GTF } from "../../abi/grant_table.ts";
import { domainId, DOMID } from "../../abi/ids.ts";
import { test } from "../../lib/testing.ts";
import { DOM0, DOM1, DOM2, gfn, GrantRig, gref, mfn } from "./testing/rig.ts";

const READ_ONLY = GNTMAP.host_map | GNTMAP.readonly;

test("structures have the offsets of grant_table.h", () => {
  const { map_grant_ref, copy, setup_table } = GNTTAB_STRUCTS;
  assertEquals([map_grant_ref.offsetOf("handle"), map_grant_ref.offsetOf("dev_bus_addr")], [
    20,
    24,
  ]);
  assertEquals([copy.offsetOf("dest"), copy.offsetOf("len"), copy.offsetOf("status")], [
    16,
    32,
    36,
  ]);
  assertEquals([setup_table.offsetOf("frame_list"), setup_table.offsetOf("frame_list", "ilp32")], [
    16,
    12,
  ]);
});

test("a grant is mapped, marked in its entry, and let go", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const { status, handle, frame } = rig.grants.map(DOM0, rig.request({ ref: 9 }));
  assertEquals([grantStatusName(status), frame, rig.mapped.get(0x1000n)?.readonly], [
    "okay",
    mfn(150),
    false,
  ]);
  assertEquals(rig.flags(DOM1, 9), GTF.permit_access | GTF.reading | GTF.writing);
  assertEquals(rig.held, ["150 w"]);
  rig.grants.audit();
  const unmap = { handle, hostAddress: 0x1000n, busAddress: 0n };
  assertEquals(grantStatusName(rig.grants.unmap(DOM0, unmap)), "okay");
  assertEquals([rig.flags(DOM1, 9), rig.held, rig.mapped.size], [GTF.permit_access, [], 0]);
  assertEquals(grantStatusName(rig.grants.unmap(DOM0, unmap)), "bad_handle");
  rig.grants.audit();
});

test("the writing flag goes with the last writer, the reading flag with the last user", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const reader = rig.grants.map(DOM0, rig.request({ ref: 9, flags: READ_ONLY }));
  assertEquals(rig.flags(DOM1, 9), GTF.permit_access | GTF.reading);
  const writer = rig.grants.map(DOM0, rig.request({ ref: 9, hostAddress: 0x2000n }));
  assertEquals(rig.held, ["150 r", "150 w"]);
  rig.grants.unmap(DOM0, { handle: writer.handle, hostAddress: 0x2000n, busAddress: 0n });
  assertEquals(rig.flags(DOM1, 9), GTF.permit_access | GTF.reading);
  rig.grants.unmap(DOM0, { handle: reader.handle, hostAddress: 0x1000n, busAddress: 0n });
  assertEquals(rig.flags(DOM1, 9), GTF.permit_access);
});

test("while a grant is in use the guest cannot pull it away by rewriting its entry", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const { handle } = rig.grants.map(DOM0, rig.request({ ref: 9 }));
  rig.permit(DOM1, 9, DOM2, 160);
  assertEquals(
    grantStatusName(rig.grants.map(DOM2, rig.request({ ref: 9 })).status),
    "general_error",
  );
  const again = rig.grants.map(DOM0, rig.request({ ref: 9, hostAddress: 0x3000n }));
  assertEquals(again.frame, mfn(150));
  for (const [each, hostAddress] of [[handle, 0x1000n], [again.handle, 0x3000n]] as const) {
    rig.grants.unmap(DOM0, { handle: each, hostAddress, busAddress: 0n });
  }
  assertEquals(rig.held, []);
  assertEquals(rig.grants.map(DOM2, rig.request({ ref: 9 })).frame, mfn(160));
});

test("host and device sides of a mapping end one by one", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const flags = GNTMAP.host_map | GNTMAP.device_map;
  const { handle } = rig.grants.map(DOM0, rig.request({ ref: 9, flags }));
  const bus = 150n * 4096n;
  const wrong = { handle, hostAddress: 0n, busAddress: 4096n };
  assertEquals(grantStatusName(rig.grants.unmap(DOM0, wrong)), "general_error");
  rig.grants.unmap(DOM0, { handle, hostAddress: 0n, busAddress: bus });
  assertEquals(rig.held, ["150 w"]);
  rig.grants.unmap(DOM0, { handle, hostAddress: 0x1000n, busAddress: 0n });
  assertEquals(rig.held, []);
});

test("a grant for a page-table entry says so when it is mapped and when it is unmapped", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const flags = READ_ONLY | GNTMAP.contains_pte | (5 << GNTMAP.guest_avail_shift);
  const { handle } = rig.grants.map(DOM0, rig.request({ ref: 9, flags }));
  const { containsPte, available, readonly } = rig.mapped.get(0x1000n)!;
  assertEquals([containsPte, available, readonly], [true, 5, true]);
  const replaceBy = 0x7000n;
  const status = rig.grants.unmap(DOM0, {
    handle,
    hostAddress: 0x1000n,
    busAddress: 0n,
    replaceBy,
  });
  assertEquals([grantStatusName(status), rig.mapped.size], ["okay", 0]);
});

const MAP_ERRORS: [claim: string, attempt: (rig: GrantRig) => number, expected: string][] = [
  [
    "neither host nor device",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 9, flags: 4 })).status,
    "bad_gntref",
  ],
  [
    "no such domain",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 9, dom: domainId(7) })).status,
    "bad_domain",
  ],
  [
    "a reference beyond the table",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 512 })).status,
    "bad_gntref",
  ],
  [
    "an entry that grants nothing",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 8 })).status,
    "general_error",
  ],
  [
    "somebody else's grant",
    (rig) => rig.grants.map(DOM2, rig.request({ ref: 9 })).status,
    "general_error",
  ],
  [
    "writing what is read-only",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 10 })).status,
    "general_error",
  ],
  [
    "mapping what is for copies",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 11 })).status,
    "general_error",
  ],
  [
    "a frame that is not the granter's",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 12 })).status,
    "general_error",
  ],
  [
    "a frame that does not exist",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 13 })).status,
    "bad_page",
  ],
  [
    "a page table for writing",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 14 })).status,
    "general_error",
  ],
  [
    "an address that cannot be mapped",
    (rig) => rig.grants.map(DOM0, rig.request({ ref: 9, hostAddress: 0xbadn })).status,
    "bad_virt_addr",
  ],
  ["what the policy refuses", (rig) => {
    rig.refuses = ({ what, by, of }) => what === "map" && by === 0 && of === 1;
    return rig.grants.map(DOM0, rig.request({ ref: 9 })).status;
  }, "permission_denied"],
  ["more handles than there are", (rig) => {
    for (let i = 0; i < 8; i++) {
      rig.grants.map(DOM0, rig.request({ ref: 9, hostAddress: BigInt(i) }));
    }
    const { status } = rig.grants.map(DOM0, rig.request({ ref: 9, hostAddress: 99n }));
    rig.grants.detach(DOM0);
    return status;
  }, "no_space"],
];

for (const [claim, attempt, expected] of MAP_ERRORS) {
  test(`mapping ${claim} is ${expected} and leaves nothing pinned`, () => {
    const rig = new GrantRig();
    rig.permit(DOM1, 9, DOM0, 150);
    rig.permit(DOM1, 10, DOM0, 151, GTF.readonly);
    rig.permit(DOM1, 11, DOM0, 152, GTF.sub_page);
    rig.permit(DOM1, 12, DOM0, 250);
    rig.permit(DOM1, 13, DOM0, 1000);
    rig.permit(DOM1, 14, DOM0, 154);
    rig.unwritable.add(mfn(154));
    assertEquals(grantStatusName(attempt(rig)), expected);
    assertEquals(rig.held, []);
    for (let ref = 9; ref <= 14; ref++) {
      assertEquals(rig.flags(DOM1, ref) & (GTF.reading | GTF.writing), 0);
    }
    rig.grants.audit();
  });
}

test("a copy moves bytes between grants and own frames and leaves nothing pinned", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150, GTF.readonly);
  rig.permit(DOM2, 20, DOM0, 250);
  rig.memory.bytes(mfn(150)).set([1, 2, 3, 4], 100);
  const both = GNTCOPY.source_gref | GNTCOPY.dest_gref;
  const side = (dom: number, refOrFrame: number, offset: number) => ({
    dom: domainId(dom),
    refOrFrame,
    offset,
  });
  const copy = (source: ReturnType<typeof side>, dest: typeof source, flags: number, length = 4) =>
    grantStatusName(rig.grants.copy(DOM0, { source, dest, lengthBytes: length, flags }));
  const SELF = DOMID.SELF;
  assertEquals(
    [
      copy(side(1, 9, 100), side(2, 20, 4092), both),
      copy(side(1, 9, 100), side(SELF, 50, 0), GNTCOPY.source_gref),
      copy(side(1, 9, 100), side(2, 20, 4093), both),
      copy(side(2, 20, 0), side(1, 9, 0), both),
      copy(side(1, 150, 0), side(2, 20, 0), GNTCOPY.dest_gref),
      copy(side(SELF, 150, 0), side(2, 20, 0), GNTCOPY.dest_gref),
      copy(side(7, 9, 0), side(2, 20, 0), both),
      copy(side(1, 600, 0), side(2, 20, 0), both),
      copy(side(1, 9, 0), side(2, 21, 0), both),
    ],
    [
      "okay",
      "okay",
      "bad_copy_arg",
      "general_error",
      "permission_denied",
      "bad_page",
      "bad_domain",
      "bad_gntref",
      "general_error",
    ],
  );
  assertEquals([...rig.memory.bytes(mfn(250), 4092)], [1, 2, 3, 4]);
  assertEquals([...rig.memory.bytes(mfn(50), 0, 4)], [1, 2, 3, 4]);
  assertEquals([rig.held, rig.flags(DOM1, 9)], [[], GTF.permit_access | GTF.readonly]);
});

test("a back end reads and writes grants, and maps them without page tables", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const at = { ref: gref(9), offset: 8 };
  assertEquals(
    grantStatusName(rig.grants.writeGrant(DOM0, DOM1, at, new Uint8Array([7, 8]))),
    "okay",
  );
  const into = new Uint8Array(2);
  rig.grants.readGrant(DOM0, DOM1, at, into);
  assertEquals([...into], [7, 8]);
  const outside = { ref: gref(9), offset: 4095 };
  assertEquals(grantStatusName(rig.grants.readGrant(DOM0, DOM1, outside, into)), "bad_copy_arg");
  const { handle, frame } = rig.grants.mapForBackEnd(DOM0, DOM1, gref(9), "write");
  assertEquals([frame, rig.mapped.size, rig.held], [mfn(150), 0, ["150 w"]]);
  assertEquals(grantStatusName(rig.grants.unmapForBackEnd(DOM0, handle)), "okay");
  assertEquals(rig.held, []);
});

test("a transferred frame belongs to whoever accepted it, and is lost if nobody did", () => {
  const rig = new GrantRig();
  rig.entry(DOM2, 30, GTF.accept_transfer, DOM1, 0);
  const move = (frame: number, dom: number, ref: number) =>
    grantStatusName(rig.grants.transfer(DOM1, mfn(frame), domainId(dom), gref(ref)));
  assertEquals([move(150, 2, 30), rig.ownerOf(mfn(150))], ["okay", DOM2]);
  assertEquals(
    rig.flags(DOM2, 30),
    GTF.accept_transfer | GTF.transfer_committed | GTF.transfer_completed,
  );
  assertEquals([move(151, 2, 30), rig.ownerOf(mfn(151))], ["general_error", null]);
  assertEquals([move(250, 2, 30), rig.ownerOf(mfn(250))], ["bad_page", DOM2]);
  assertEquals([move(152, 7, 30), rig.ownerOf(mfn(152))], ["bad_domain", null]);
});

test("a table grows to its limit, and only its owner and the privileged see it", () => {
  const { grants } = new GrantRig();
  const setup = (caller: number, dom: number, count: number) => {
    const { status, frames } = grants.setupTable(domainId(caller), domainId(dom), count);
    return [grantStatusName(status), frames.length];
  };
  assertEquals([setup(1, DOMID.SELF, 3), setup(1, DOMID.SELF, 5), setup(1, 2, 1), setup(0, 1, 2)], [
    ["okay", 3],
    ["general_error", 0],
    ["permission_denied", 0],
    ["okay", 2],
  ]);
  assertEquals(setup(0, 9, 1), ["bad_domain", 0]);
  const size = grants.querySize(DOM1, DOMID.SELF);
  assertEquals([grantStatusName(size.status), size.frameCount, size.maxFrameCount], ["okay", 3, 4]);
  assertEquals(grantStatusName(grants.querySize(DOM1, DOM2).status), "permission_denied");
  assertEquals(grantStatusName(grants.querySize(DOM1, domainId(9)).status), "bad_domain");
});

test("version 2 is refused as by a hypervisor that never had it", () => {
  const { grants } = new GrantRig();
  assertEquals([1, 2, 3].map((version) => Number(grants.setVersion(DOM1, version))), [
    1,
    Number(ERRNO.ENOSYS),
    Number(ERRNO.EINVAL),
  ]);
  assertEquals(grants.getVersion(DOM1, DOMID.SELF), 1);
  assertEquals(grants.getVersion(DOM1, DOM2), ERRNO.EPERM);
  assertEquals(grants.getVersion(DOM0, domainId(9)), ERRNO.ESRCH);
  assertEquals(grantStatusName(grants.getStatusFrames(DOM1, DOMID.SELF).status), "general_error");
});

test("entries are swapped unless somebody uses one of them", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const swap = (first: number, second: number) =>
    grantStatusName(rig.grants.swap(DOM1, gref(first), gref(second)));
  assertEquals([swap(9, 10), rig.flags(DOM1, 9), rig.flags(DOM1, 10)], ["okay", 0, 1]);
  rig.grants.mapForBackEnd(DOM0, DOM1, gref(10), "read");
  assertEquals([swap(9, 10), swap(9, 512), swap(10, 10)], ["eagain", "bad_gntref", "okay"]);
});

test("a dead domain's grants stay pinned until the last mapping goes", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  const { handle } = rig.grants.mapForBackEnd(DOM0, DOM1, gref(9), "write");
  rig.grants.detach(DOM1);
  assertEquals([rig.held, rig.grants.tableFrames(DOM1).length], [["150 w"], 1]);
  assertEquals(
    grantStatusName(rig.grants.mapForBackEnd(DOM0, DOM1, gref(9), "read").status),
    "bad_domain",
  );
  rig.grants.unmapForBackEnd(DOM0, handle);
  assertEquals([rig.held, rig.grants.tableFrames(DOM1).length], [[], 0]);
});

test("a dying domain lets go of what it mapped", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM2, 150);
  rig.grants.map(DOM2, rig.request({ ref: 9 }));
  rig.grants.detach(DOM2);
  assertEquals([rig.held, rig.flags(DOM1, 9)], [[], GTF.permit_access]);
});

test("tools fill in entries before a guest starts", () => {
  const rig = new GrantRig();
  rig.grants.grant(DOM1, gref(1), DOM0, gfn(170));
  assertEquals(rig.grants.mapForBackEnd(DOM0, DOM1, gref(1), "write").frame, mfn(170));
});

test("a snapshot keeps tables, pins and handles", () => {
  const rig = new GrantRig();
  rig.permit(DOM1, 9, DOM0, 150);
  rig.grants.setupTable(DOM1, DOMID.SELF, 2);
  const { handle } = rig.grants.mapForBackEnd(DOM0, DOM1, gref(9), "write");
  const record = rig.grants.save();
  const other = new GrantRig();
  other.grants.restore(record);
  assertEquals(other.grants.save(), record);
  other.grants.audit();
  assertEquals(grantStatusName(other.grants.unmapForBackEnd(DOM0, handle)), "okay");
});
