import { assertEquals } from "@std/assert";
import { test } from "../../lib/testing.ts";
import { type FloatEnvironment, x87Environment } from "./environment.ts";
import {
  constant,
  type ConstantName,
  f2xm1,
  fcos,
  fpatan,
  fptan,
  fsin,
  fsincos,
  fyl2x,
  fyl2xp1,
} from "./transcendental.ts";

const ONE = 0x3fff8000000000000000n;
const TWO = 0x40008000000000000000n;
const THREE = 0x4000c000000000000000n;
const HALF = 0x3ffe8000000000000000n;
const INFINITY = 0x7fff8000000000000000n;
const MINUS = 1n << 79n;
const DEFAULT = 0xffffc000000000000000n;
const PI = 0x4000c90fdaa22168c235n;
const E15 = 0x4030e35fa931a0000000n;

const masked = () => x87Environment(0x037f);

type Value = readonly [string, (env: FloatEnvironment) => unknown, bigint];

// Computed independently with 120 decimal digits.
const VALUES: readonly Value[] = [
  ["sin 1", (env) => fsin(env, ONE), 0x3ffed76aa47848677021n],
  ["cos 1", (env) => fcos(env, ONE), 0x3ffe8a51407da8345c92n],
  ["sin 2**-10", (env) => fsin(env, 0x3ff58000000000000000n), 0x3ff4fffffd5555577777n],
  ["sin 3 with 66-bit pi", (env) => fsin(env, THREE), 0x3ffc9081c36db6aada79n],
  ["sin 4 with 66-bit pi", (env) => fsin(env, 0x40018000000000000000n), 0xbffec1bdceeee0f57387n],
  ["sin 1e15 with 66-bit pi", (env) => fsin(env, E15), 0x3ffedbb7b8f40de0426en],
  ["atan 1/2", (env) => fpatan(env, ONE, TWO), 0x3ffded63382b0dda7b45n],
  ["angle of (-2, 1)", (env) => fpatan(env, ONE, TWO | MINUS), 0x4000ab63739cbfad72ccn],
  ["angle of (1, 3)", (env) => fpatan(env, THREE, ONE), 0x3fff9fe0bb5bd42affecn],
  ["log2 3", (env) => fyl2x(env, ONE, THREE), 0x3fffcae00d1cfdeb43d0n],
  ["log2 1.25", (env) => fyl2x(env, ONE, 0x3fffa000000000000000n), 0x3ffda4d3c25e68dc57f2n],
  [
    "5 log2 10",
    (env) => fyl2x(env, 0x4001a000000000000000n, 0x4002a000000000000000n),
    0x400384e08b2f603136dfn,
  ],
  ["2**0.5 - 1", (env) => f2xm1(env, HALF), 0x3ffdd413cccfe7799211n],
  ["2**-0.75 - 1", (env) => f2xm1(env, 0xbffec000000000000000n), 0xbffdcf901f5ce48ead21n],
  [
    "log2(1 - 2**-10)",
    (env) => fyl2xp1(env, ONE, 0xbff58000000000000000n),
    0xbff5b8c1544a5b4e2cb0n,
  ],
];

test("transcendentals are correctly rounded and inexact", () => {
  for (const [name, compute, expected] of VALUES) {
    const env = masked();
    assertEquals([compute(env), env.flags], [expected, 0x20], name);
  }
  assertEquals(fptan(masked(), ONE), { tangent: 0x3fffc75922e5f71d2dc5n, pushed: ONE });
  assertEquals(fsincos(masked(), ONE), {
    sine: 0x3ffed76aa47848677021n,
    cosine: 0x3ffe8a51407da8345c92n,
  });
});

type Special = readonly [string, (env: FloatEnvironment) => unknown, unknown, number];

const SPECIALS: readonly Special[] = [
  // name, operation, result, flags
  ["sin -0", (env) => fsin(env, MINUS), MINUS, 0],
  ["cos 0", (env) => fcos(env, 0n), ONE, 0],
  ["tan -0", (env) => fptan(env, MINUS), { tangent: MINUS, pushed: ONE }, 0],
  ["sin infinity", (env) => fsin(env, INFINITY), DEFAULT, 0x01],
  ["sin 2**63", (env) => fsin(env, 0x403e8000000000000000n), "outOfRange", 0],
  ["tan infinity", (env) => fptan(env, INFINITY), { tangent: DEFAULT, pushed: DEFAULT }, 0x01],
  ["2**-infinity - 1", (env) => f2xm1(env, INFINITY | MINUS), ONE | MINUS, 0],
  ["2**-0 - 1", (env) => f2xm1(env, MINUS), MINUS, 0],
  ["2**-1 - 1", (env) => f2xm1(env, ONE | MINUS), HALF | MINUS, 0x20],
  ["log2 0", (env) => fyl2x(env, ONE, 0n), INFINITY | MINUS, 0x04],
  ["0 log2 0", (env) => fyl2x(env, 0n, 0n), DEFAULT, 0x01],
  ["infinity log2 1", (env) => fyl2x(env, INFINITY, ONE), DEFAULT, 0x01],
  ["infinity log2 1/2", (env) => fyl2x(env, INFINITY, HALF), INFINITY | MINUS, 0],
  ["log2 -1", (env) => fyl2x(env, ONE, ONE | MINUS), DEFAULT, 0x01],
  ["-1 log2 1", (env) => fyl2x(env, ONE | MINUS, ONE), MINUS, 0],
  ["2 log2 infinity", (env) => fyl2x(env, TWO, INFINITY), INFINITY, 0],
  ["3 log2 2", (env) => fyl2x(env, THREE, TWO), THREE, 0x20],
  ["log2(1 - 0)", (env) => fyl2xp1(env, ONE, MINUS), MINUS, 0],
  ["infinity log2(1 + 0)", (env) => fyl2xp1(env, INFINITY, 0n), DEFAULT, 0x01],
  ["angle of (0, 0)", (env) => fpatan(env, 0n, 0n), 0n, 0],
  ["angle of (-0, -0)", (env) => fpatan(env, MINUS, MINUS), PI | MINUS, 0x20],
  ["angle of (infinity, 1)", (env) => fpatan(env, ONE, INFINITY), 0n, 0],
  ["angle of (1, infinity)", (env) => fpatan(env, INFINITY, ONE), 0x3fffc90fdaa22168c235n, 0x20],
  [
    "angle of (-infinity, infinity)",
    (env) => fpatan(env, INFINITY, INFINITY | MINUS),
    0x400096cbe3f9990e91a8n,
    0x20,
  ],
];

test("special arguments give the manual's tabulated results", () => {
  for (const [name, compute, expected, flags] of SPECIALS) {
    const env = masked();
    assertEquals([compute(env), env.flags], [expected, flags], name);
  }
});

test("an unmasked zero-divide of FYL2X delivers nothing", () => {
  const env = x87Environment(0x037b);
  assertEquals([fyl2x(env, ONE, 0n), env.flags], [undefined, 0x04]);
});

test("constant loads round as RC says and raise nothing", () => {
  const rows: readonly (readonly [ConstantName, number, bigint])[] = [
    ["1", 0x037f, ONE],
    ["Z", 0x037f, 0n],
    ["PI", 0x037f, PI],
    ["PI", 0x077f, PI - 1n],
    ["L2T", 0x037f, 0x4000d49a784bcd1b8afen],
    ["L2T", 0x0b7f, 0x4000d49a784bcd1b8affn],
    ["L2E", 0x037f, 0x3fffb8aa3b295c17f0bcn],
    ["LG2", 0x037f, 0x3ffd9a209a84fbcff799n],
    ["LN2", 0x0f7f, 0x3ffeb17217f7d1cf79abn],
  ];
  for (const [name, word, expected] of rows) {
    const env = x87Environment(word);
    assertEquals([constant(env, name), env.flags], [expected, 0], name);
  }
});
