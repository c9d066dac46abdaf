/** The colours of figures as people with each common colour blindness see them: no two of them look alike. */

import { assert, assertEquals } from "@std/assert";

/** Of linear RGB, at full severity (G. Machado, M. Oliveira, L. Fernandes, "A Physiologically-based Model", 2009). */
const SIGHTS: Readonly<Record<string, readonly number[]>> = {
  usual: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  // deno-fmt-ignore
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  // deno-fmt-ignore
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  // deno-fmt-ignore
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
};
/** Of CIE 1976 (L*, a*, b*); 2.3 is what can just be told apart side by side. */
const LEAST_DISTANCE = 9;

const sheet = await Deno.readTextFile(new URL("./styles/base.css", import.meta.url));
const pairs = [...sheet.matchAll(/--series-\d+: light-dark\((#\w{6}), (#\w{6})\)/g)];

for (const [theme, name] of ["light", "dark"].entries()) {
  for (const [sight, matrix] of Object.entries(SIGHTS)) {
    Deno.test(`${name} theme, ${sight}: no two series have colours that look alike`, () => {
      assertEquals(pairs.length, 7);
      const seen = pairs.map((pair) => lab(seenBy(matrix, linear(pair[theme + 1]))));
      seen.forEach((one, i) =>
        seen.slice(0, i).forEach((other, j) => {
          const distance = Math.hypot(...one.map((each, axis) => each - other[axis]));
          assert(distance > LEAST_DISTANCE, `series ${i} and ${j}: ${distance.toFixed(1)}`);
        })
      );
    });
  }
}

function linear(hex: string): number[] {
  return [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

function seenBy(matrix: readonly number[], rgb: readonly number[]): number[] {
  return times(matrix, rgb).map((each) => Math.min(1, Math.max(0, each)));
}

/** CIE 1976 (L*, a*, b*) of linear sRGB under D65. */
function lab(rgb: readonly number[]): number[] {
  // deno-fmt-ignore
  const xyz = times([0.4124, 0.3576, 0.1805, 0.2126, 0.7152, 0.0722, 0.0193, 0.1192, 0.9505], rgb);
  const [x, y, z] = xyz.map((each, i) => {
    const t = each / [0.9505, 1, 1.089][i];
    return t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27 * t + 16) / 116;
  });
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function times(matrix: readonly number[], [a, b, c]: readonly number[]): number[] {
  return [0, 3, 6].map((row) => matrix[row] * a + matrix[row + 1] * b + matrix[row + 2] * c);
}
