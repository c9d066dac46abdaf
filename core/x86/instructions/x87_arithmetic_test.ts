import { test } from "../../lib/testing.ts";
import { checkX87, EXTENDED, minus } from "./testing/x87.ts";

const { zero, one, two, three, half, indefinite, infinity, denormal } = EXTENDED;
const FOUR = 0x40018000000000000000n;
const SIX = 0x4001c000000000000000n;

test("each encoding takes destination, source and direction as the manual says", () => {
  checkX87([
    { code: "d8 c1", stack: [one, two], after: { stack: [three, two], status: 0, recorded: true } },
    { code: "dc c1", stack: [one, two], after: { stack: [one, three] } },
    { code: "de c1", stack: [one, two], after: { stack: [three] } },
    { code: "d8 e1", stack: [three, one], after: { stack: [two, one] } },
    { code: "d8 e9", stack: [three, one], after: { stack: [minus(two), one] } },
    { code: "dc e9", stack: [one, three], after: { stack: [one, two] } },
    { code: "dc e1", stack: [one, three], after: { stack: [one, minus(two)] } },
    { code: "de e9", stack: [one, three], after: { stack: [two] } },
    { code: "de e1", stack: [one, three], after: { stack: [minus(two)] } },
    { code: "d8 c9", stack: [three, two], after: { stack: [SIX, two] } },
    { code: "d8 f1", stack: [two, FOUR], after: { stack: [half, FOUR] } },
    { code: "d8 f9", stack: [two, FOUR], after: { stack: [two, FOUR] } },
    { code: "dc f9", stack: [two, FOUR], after: { stack: [two, two] } },
    { code: "de f1", stack: [two, FOUR], after: { stack: [half] } },
    { code: "d8 03", stack: [one], memory: 0x40000000n, after: { stack: [three] } },
    { code: "dc 2b", stack: [one], memory: 0x4008000000000000n, after: { stack: [two] } },
    { code: "de 0b", stack: [three], memory: 0xfffen, after: { stack: [minus(SIX)] } },
    { code: "da 3b", stack: [two], memory: 1n, after: { stack: [half] } },
  ]);
});

test("results round to the precision control, and C1 says in which direction", () => {
  const nearOne = 0x3fff8000000000000001n;
  checkX87([
    { code: "d8 c1", stack: [one, 0x3fbe8000000000000000n], after: { status: 0x20 } },
    {
      code: "d8 c1",
      stack: [nearOne, 0x3fbf8000000000000000n],
      after: { stack: [0x3fff8000000000000002n, 0x3fbf8000000000000000n], status: 0x220 },
    },
    {
      code: "d8 c1",
      control: 0x27f,
      stack: [nearOne, one],
      after: { stack: [two, one], status: 0x20 },
    },
    {
      code: "d8 f1",
      control: 0x07f,
      stack: [one, three],
      after: { stack: [0x3ffdaaaaab0000000000n, three], status: 0x220 },
    },
    {
      code: "d8 f1",
      control: 0xc7f,
      stack: [one, three],
      after: { stack: [0x3ffdaaaaaa0000000000n, three], status: 0x20 },
    },
    { code: "d9 fa", stack: [two], after: { stack: [0x3fffb504f333f9de6484n], status: 0x20 } },
    { code: "d9 fa", stack: [FOUR], status: 0x200, after: { stack: [two], status: 0 } },
  ]);
});

test("special operands give special results and their exceptions", () => {
  checkX87([
    {
      code: "d8 f1",
      stack: [one, minus(zero)],
      after: { stack: [minus(infinity), minus(zero)], status: 4 },
    },
    {
      code: "d8 f1",
      stack: [one, zero],
      control: 0x37b,
      after: { stack: [one, zero], status: 0x8084 },
    },
    { code: "d8 e0", stack: [one], after: { stack: [zero], status: 0 } },
    { code: "d8 e0", stack: [one], control: 0x77f, after: { stack: [minus(zero)], status: 0 } },
    {
      code: "d8 c1",
      stack: [infinity, minus(infinity)],
      after: { stack: [indefinite, minus(infinity)], status: 1 },
    },
    { code: "d8 c9", stack: [zero, infinity], after: { stack: [indefinite, infinity], status: 1 } },
    {
      code: "d8 c9",
      stack: [minus(zero), three],
      after: { stack: [minus(zero), three], status: 0 },
    },
    { code: "d8 c1", stack: [denormal, denormal], after: { stack: [2n, denormal], status: 2 } },
    { code: "d8 c1", stack: [one], after: { stack: [indefinite], status: 0x41 } },
    { code: "de c1", stack: [one], control: 0x37e, after: { stack: [one], status: 0x80c1 } },
    { code: "d9 fa", stack: [minus(one)], after: { stack: [indefinite], status: 1 } },
    { code: "d9 fa", stack: [minus(zero)], after: { stack: [minus(zero)], status: 0 } },
  ]);
});

test("an unmasked precision exception still delivers and pops", () => {
  checkX87([
    {
      code: "de f9",
      control: 0x35f,
      stack: [three, one],
      after: { stack: [0x3ffdaaaaaaaaaaaaaaabn], status: 0x82a0 },
    },
  ]);
});

test("comparisons set C3, C2 and C0, or ZF, PF and CF", () => {
  const quiet = 0x7fffc000000000000000n;
  checkX87([
    { code: "d8 d1", stack: [two, one], status: 0x4700, after: { status: 0, recorded: true } },
    { code: "d8 d1", stack: [one, two], after: { status: 0x100 } },
    { code: "d8 d1", stack: [zero, minus(zero)], after: { status: 0x4000 } },
    { code: "d8 d1", stack: [minus(one), minus(two)], after: { status: 0 } },
    { code: "d8 d9", stack: [minus(one), one], after: { status: 0x100, stack: [one] } },
    { code: "de d9", stack: [infinity, one], after: { status: 0, stack: [] } },
    { code: "d8 d1", stack: [quiet, one], after: { status: 0x4501 } },
    { code: "dd e1", stack: [quiet, one], after: { status: 0x4500 } },
    { code: "da e9", stack: [one, one], after: { status: 0x4000, stack: [] } },
    { code: "d8 13", stack: [one], memory: 0x3f800000n, after: { status: 0x4000 } },
    { code: "da 1b", stack: [one], memory: 2n, after: { status: 0x100, stack: [] } },
    { code: "d9 e4", stack: [minus(one)], after: { status: 0x100 } },
    {
      code: "db f1",
      stack: [one, two],
      flags: 0x890,
      status: 0x200,
      after: { flags: 1, status: 0x200 },
    },
    { code: "df e9", stack: [one, one], after: { flags: 0x40, stack: [one] } },
    { code: "db e9", stack: [quiet, one], after: { flags: 0x45, status: 0 } },
    { code: "db f1", stack: [one], after: { flags: 0x45, status: 0x41 } },
    { code: "de d9", control: 0x37e, stack: [one], after: { stack: [one], status: 0xc5c1 } },
  ]);
});

test("FCHS, FABS and FXAM look at the sign of anything", () => {
  checkX87([
    { code: "d9 e0", stack: [one], status: 0x200, after: { stack: [minus(one)], status: 0 } },
    { code: "d9 e1", stack: [indefinite], after: { stack: [0x7fffc000000000000000n] } },
    { code: "d9 e0", after: { stack: [indefinite], status: 0x41 } },
    { code: "d9 e5", stack: [minus(one)], after: { status: 0x600 } },
    { code: "d9 e5", stack: [zero], after: { status: 0x4000 } },
    { code: "d9 e5", stack: [denormal], after: { status: 0x4400 } },
    { code: "d9 e5", stack: [infinity], after: { status: 0x500 } },
    { code: "d9 e5", stack: [indefinite], after: { status: 0x300 } },
    { code: "d9 e5", stack: [0x3fff4000000000000000n], after: { status: 0 } },
    { code: "d9 e5", status: 0x400, after: { status: 0x4100, recorded: true } },
  ]);
});

test("FPREM keeps C0 and C3 without a quotient", () => {
  checkX87([
    {
      code: "d9 f8",
      stack: [0x4001e000000000000000n, two],
      after: { stack: [one, two], status: 0x4200 },
    },
    { code: "d9 f8", stack: [0x40778000000000000000n, three], after: { status: 0x400 } },
    {
      code: "d9 f8",
      stack: [infinity, three],
      status: 0x4500,
      after: { stack: [indefinite, three], status: 0x4101 },
    },
    { code: "d9 f5", stack: [three, two], after: { stack: [minus(one), two], status: 0x4000 } },
  ]);
});

test("instructions with two results need room for the second", () => {
  const full = [one, one, one, one, one, one, one, one];
  checkX87([
    { code: "d9 f4", stack: [SIX], after: { stack: [0x3fffc000000000000000n, two] } },
    { code: "d9 f4", stack: full, after: { status: 0x241 } },
    { code: "d9 fb", after: { stack: [indefinite, indefinite], status: 0x41 } },
    { code: "d9 f2", stack: [zero], after: { stack: [one, zero], status: 0 } },
    {
      code: "d9 fe",
      stack: [0x403f8000000000000000n],
      after: { stack: [0x403f8000000000000000n], status: 0x400 },
    },
    { code: "d9 f1", stack: [two, one], after: { stack: [one] } },
    { code: "d9 fd", stack: [three, one], after: { stack: [SIX, one] } },
    { code: "d9 fc", stack: [0x4000a000000000000000n], after: { stack: [two], status: 0x20 } },
  ]);
});

test("FFREE, FINCSTP and FDECSTP change tags and top alone", () => {
  checkX87([
    { code: "dd c0", stack: [one, two], status: 0x200, after: { stack: [null, two], status: 0 } },
    { code: "df c1", stack: [one, two, three], after: { stack: [null, three] } },
    {
      code: "d9 f7",
      stack: [one, two],
      after: { stack: [two, null, null, null, null, null, null, one] },
    },
    { code: "d9 f6", stack: [one], after: { stack: [null, one] } },
    { code: "d9 d0", status: 0x200, after: { status: 0x200, recorded: true } },
  ]);
});
