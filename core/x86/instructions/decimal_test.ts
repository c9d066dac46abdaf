import { test } from "../../lib/testing.ts";
import { type Case, checkAll } from "./testing/harness.ts";

const in32 = (rows: readonly Omit<Case, "bits">[]) =>
  rows.map((row): Case => ({ ...row, bits: 32 }));

test("DAA and DAS adjust packed digits", () => {
  checkAll(in32([
    { code: "27", before: { rax: 0xae }, after: { rax: 0x14, flags: "CPA" } },
    { code: "27", before: { rax: 0x2e, flags: "C" }, after: { rax: 0x94, flags: "CSA" } },
    { code: "27", before: { rax: 0x99 }, after: { rax: 0x99, flags: "SP" } },
    { code: "27", before: { rax: 0x9a }, after: { rax: 0, flags: "CZPA" } },
    { code: "2f", before: { rax: 0xee }, after: { rax: 0x88, flags: "CSPA" } },
    { code: "2f", before: { rax: 0x04, flags: "A" }, after: { rax: 0xfe, flags: "CSA" } },
    { code: "2f", before: { rax: 0x47 }, after: { rax: 0x47, flags: "P" } },
  ]));
});

test("AAA and AAS adjust unpacked digits", () => {
  checkAll(in32([
    { code: "37", before: { rax: 0x20b }, after: { rax: 0x301, flags: "CA" } },
    { code: "37", before: { rax: 0x1f5 }, after: { rax: 0x105, flags: "P" } },
    { code: "3f", before: { rax: 0x20b }, after: { rax: 0x105, flags: "CPA" } },
    { code: "3f", before: { rax: 0x003, flags: "A" }, after: { rax: 0xfe0d, flags: "CA" } },
  ]));
});

test("AAM divides by its base, AAD multiplies", () => {
  checkAll(in32([
    { code: "d4 0a", before: { rax: 0xff3f }, after: { rax: 0x603, flags: "P" } },
    { code: "d4 00", before: { rax: 0x3f }, fault: 0 },
    { code: "d5 0a", before: { rax: 0x603 }, after: { rax: 0x3f, flags: "P" } },
    { code: "d5 10", before: { rax: 0xffff }, after: { rax: 0xef, flags: "S" } },
  ]));
});
