import { assert, assertEquals, assertThrows } from "@std/assert";
import { test } from "../../core/lib/testing.ts";
import { BootError } from "./boot_error.ts";
import { type CpioEntry, readCpio, writeCpio } from "./cpio.ts";
import { concatBytes, utf8 } from "./layout.ts";
import { pattern } from "./test_images.ts";

const entries: readonly CpioEntry[] = [
  { kind: "directory", path: "dev", mode: 0o755, uid: 0, gid: 0 },
  { kind: "character", path: "dev/console", mode: 0o600, uid: 0, gid: 0, major: 5, minor: 1 },
  { kind: "block", path: "dev/sda", mode: 0o660, uid: 0, gid: 6, major: 8, minor: 0 },
  { kind: "fifo", path: "dev/initctl", mode: 0o600, uid: 0, gid: 0 },
  { kind: "file", path: "init", mode: 0o755, uid: 0, gid: 0, data: utf8("#!/bin/sh\n") },
  { kind: "symlink", path: "bin", mode: 0o777, uid: 0, gid: 0, target: "usr/bïn" },
  { kind: "file", path: "empty", mode: 0o600, uid: 1000, gid: 1000, data: new Uint8Array(0) },
];

test("what is written is read back", () => {
  assertEquals(readCpio(writeCpio(entries)), entries);
});

test("the first header has the fields of newc in hexadecimal", () => {
  const archive = writeCpio([{ kind: "file", path: "a", mode: 0o644, data: pattern(5) }]);
  const header = String.fromCharCode(...archive.subarray(0, 112));
  assertEquals(
    header,
    "070701" + "00000001" + "000081a4" + "00000000" + "00000000" + "00000001" + "00000000" +
      "00000005" + "00000000" + "00000000" + "00000000" + "00000000" + "00000002" + "00000000" +
      "a\0",
  );
  assertEquals(archive.subarray(112, 117), pattern(5));
  assertEquals(archive.length, 512);
});

test("equal entries give equal bytes, and mtime is an option", () => {
  assertEquals(writeCpio(entries), writeCpio(entries));
  const dated = writeCpio(entries, { mtime: 0x1234 });
  assertEquals(String.fromCharCode(...dated.subarray(46, 54)), "00001234");
});

test("missing parent directories come before what is in them", () => {
  const archive = writeCpio([
    { kind: "file", path: "lib/modules/a.ko", data: pattern(1) },
    { kind: "file", path: "lib/b", data: pattern(1) },
  ]);
  assertEquals(
    readCpio(archive).map(({ kind, path }) => `${kind} ${path}`),
    ["directory lib", "directory lib/modules", "file lib/modules/a.ko", "file lib/b"],
  );
});

test("archives behind each other are read as one", () => {
  const two = concatBytes([
    writeCpio([{ kind: "directory", path: "a" }]),
    writeCpio([{ kind: "directory", path: "b" }]),
  ]);
  assertEquals(readCpio(two).map(({ path }) => path), ["a", "b"]);
});

for (const path of ["", "/init", "a\0b", "x".repeat(4096)]) {
  test(`the path ${JSON.stringify(path.slice(0, 8))} of ${path.length} characters is refused`, () => {
    assertThrows(() => writeCpio([{ kind: "directory", path }]), RangeError, "cpio path");
  });
}

test("a path that occurs twice is refused", () => {
  const twice: CpioEntry[] = [{ kind: "fifo", path: "a" }, { kind: "fifo", path: "a" }];
  assertThrows(() => writeCpio(twice), RangeError, 'cpio path "a" occurs twice');
});

test("a truncated archive and other formats are refused", () => {
  const archive = writeCpio([{ kind: "file", path: "a", data: pattern(50) }]);
  assertThrows(() => readCpio(archive.subarray(0, 130)), BootError, "cpio archive is truncated");
  assertThrows(() => readCpio(utf8("070707000")), BootError, 'magic "070707" at byte 0');
  const corrupt = archive.slice();
  corrupt[6] = 0x7a;
  assertThrows(() => readCpio(corrupt), BootError, "field ino at byte 0");
  assert(readCpio(archive).length === 1);
});
