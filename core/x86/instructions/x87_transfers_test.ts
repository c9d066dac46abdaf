import { test } from "../../lib/testing.ts";
import { checkX87, EXTENDED, minus } from "./testing/x87.ts";

const { zero, one, two, three, indefinite, signalling, denormal, infinity } = EXTENDED;
const FULL = [one, one, one, one, one, one, one, one];

test("FLD pushes every format exactly", () => {
  checkX87([
    { code: "d9 03", memory: 0x40400000n, after: { stack: [three], status: 0, recorded: true } },
    { code: "dd 03", memory: 0xc008000000000000n, after: { stack: [minus(three)] } },
    { code: "d9 03", memory: 0x80000000n, after: { stack: [minus(zero)] } },
    { code: "d9 03", memory: 0x7f800000n, after: { stack: [infinity] } },
    { code: "d9 03", memory: 1n, after: { stack: [0x3f6a8000000000000000n], status: 2 } },
    { code: "d9 03", memory: 0x7fa00000n, after: { stack: [0x7fffe000000000000000n], status: 1 } },
    { code: "db 2b", memory: signalling, after: { stack: [signalling], status: 0 } },
    { code: "d9 c1", stack: [one, two], after: { stack: [two, one, two] } },
  ]);
});

test("FILD and FBLD push integers", () => {
  checkX87([
    { code: "df 03", memory: 0x8000n, after: { stack: [0xc00e8000000000000000n] } },
    { code: "db 03", memory: 0xffffffffn, after: { stack: [minus(one)] } },
    { code: "df 2b", memory: 3n, after: { stack: [three] } },
    { code: "df 2b", memory: 0n, after: { stack: [zero] } },
    { code: "df 2b", memory: 1n << 63n, after: { stack: [0xc03e8000000000000000n] } },
    { code: "df 2b", memory: (1n << 63n) - 1n, after: { stack: [0x403dfffffffffffffffen] } },
    { code: "df 23", memory: 0x80000000000000000012n, after: { stack: [0xc002c000000000000000n] } },
  ]);
});

test("constants follow the rounding control", () => {
  checkX87([
    { code: "d9 e8", after: { stack: [one] } },
    { code: "d9 e9", after: { stack: [0x4000d49a784bcd1b8afen] } },
    { code: "d9 e9", control: 0xb7f, after: { stack: [0x4000d49a784bcd1b8affn] } },
    { code: "d9 eb", after: { stack: [0x4000c90fdaa22168c235n] } },
    { code: "d9 eb", control: 0xf7f, after: { stack: [0x4000c90fdaa22168c234n] } },
    { code: "d9 ee", after: { stack: [zero], recorded: true } },
  ]);
});

test("FST rounds to the memory format and reports it", () => {
  const third = 0x3ffdaaaaaaaaaaaaaaabn;
  checkX87([
    { code: "d9 1b", stack: [third], after: { stack: [], memory: 0x3eaaaaabn, status: 0x220 } },
    { code: "dd 13", stack: [third], after: { stack: [third], memory: 0x3fd5555555555555n } },
    { code: "d9 13", stack: [two], status: 0x200, after: { memory: 0x40000000n, status: 0 } },
    {
      code: "d9 13",
      stack: [0x40ff8000000000000000n],
      after: { memory: 0x7f800000n, status: 0x228 },
    },
    { code: "dd 13", stack: [minus(zero)], after: { memory: 1n << 63n, status: 0 } },
    { code: "db 3b", stack: [signalling, one], after: { stack: [one], memory: signalling } },
    { code: "dd d9", stack: [two, one], after: { stack: [two] } },
    { code: "dd d2", stack: [two], after: { stack: [two, null, two] } },
  ]);
});

test("an unmasked overflow of FSTP m32 stores nothing and does not pop", () => {
  const huge = 0x40ff8000000000000000n;
  checkX87([
    {
      code: "d9 1b",
      control: 0x377,
      stack: [huge],
      memory: 0x1234n,
      after: { stack: [huge], memory: 0x1234n, status: 0x8088 },
    },
  ]);
});

test("FIST rounds as RC says, FISTTP truncates, and both answer the integer indefinite", () => {
  const half = 0x4000a000000000000000n; // 2.5
  checkX87([
    { code: "db 13", stack: [half], after: { memory: 2n, status: 0x20 } },
    { code: "db 13", stack: [half], control: 0xb7f, after: { memory: 3n, status: 0x220 } },
    {
      code: "db 1b",
      stack: [minus(half)],
      control: 0x77f,
      after: { memory: 0xfffffffdn, stack: [] },
    },
    {
      code: "db 0b",
      stack: [minus(half)],
      control: 0x77f,
      after: { memory: 0xfffffffen, stack: [] },
    },
    { code: "df 13", stack: [0x400e8000000000000000n], after: { memory: 0x8000n, status: 1 } },
    { code: "df 13", stack: [0xc00e8000000000000000n], after: { memory: 0x8000n, status: 0 } },
    { code: "df 3b", stack: [0x403e8000000000000000n], after: { memory: 1n << 63n, status: 1 } },
    { code: "df 3b", stack: [minus(zero)], after: { memory: 0n, status: 0 } },
    { code: "df 33", stack: [minus(three)], after: { memory: (1n << 79n) | 3n, stack: [] } },
  ]);
});

test("an empty source underflows, a full stack overflows, and C1 tells which", () => {
  checkX87([
    { code: "d9 c1", stack: [one], after: { stack: [indefinite, one], status: 0x41 } },
    { code: "d9 e8", stack: FULL, after: { stack: [indefinite, ...FULL.slice(1)], status: 0x241 } },
    { code: "d9 03", stack: FULL, control: 0x37e, after: { stack: FULL, status: 0x82c1 } },
    { code: "db 1b", after: { memory: 0x80000000n, status: 0x41 } },
    { code: "db 3b", after: { memory: indefinite, status: 0x41 } },
    { code: "df 33", after: { memory: 0xffffc000000000000000n, status: 0x41 } },
    { code: "db 3b", control: 0x37e, memory: 5n, after: { memory: 5n, status: 0x80c1 } },
    { code: "dd d9", stack: [null, one], after: { stack: [indefinite], status: 0x41 } },
    { code: "d9 d9", stack: [null, one], after: { stack: [one], status: 0 } },
  ]);
});

test("FXCH and FCMOVcc fill empty registers only with the fault masked", () => {
  checkX87([
    { code: "d9 c9", stack: [one, two], status: 0x200, after: { stack: [two, one], status: 0 } },
    { code: "d9 c9", stack: [one], after: { stack: [indefinite, one], status: 0x41 } },
    { code: "dd c9", stack: [null, two], after: { stack: [two, indefinite], status: 0x41 } },
    { code: "d9 c9", stack: [one], control: 0x37e, after: { stack: [one], status: 0x80c1 } },
    {
      code: "da c1",
      stack: [one, two],
      flags: 1,
      status: 0x200,
      after: { stack: [two, two], status: 0x200 },
    },
    { code: "da c1", stack: [one, two], after: { stack: [one, two], recorded: true } },
    { code: "db d9", stack: [one, two], after: { stack: [two, two] } },
    { code: "da c9", stack: [one], after: { stack: [indefinite], status: 0x41 } },
  ]);
});

test("a denormal is pushed even if that exception is not masked", () => {
  checkX87([
    {
      code: "d9 03",
      control: 0x37d,
      memory: 1n,
      after: { stack: [0x3f6a8000000000000000n], status: 0x8082 },
    },
    { code: "db 2b", memory: denormal, after: { stack: [denormal], status: 0 } },
  ]);
});
