import { assertEquals } from "@std/assert";
import { test } from "../lib/testing.ts";
import { ERRNO, errnoName, isErrno } from "./errno.ts";

test("an errno is negative and prints as its name", () => {
  assertEquals([ERRNO.EPERM, ERRNO.ENOSYS, ERRNO.ECONNREFUSED].map(Number), [-1, -38, -111]);
  assertEquals([errnoName(-11), errnoName(-38), errnoName(-999)], ["EAGAIN", "ENOSYS", "-999"]);
  assertEquals([isErrno(ERRNO.EINVAL), isErrno(0), isErrno({})], [true, false, false]);
});
