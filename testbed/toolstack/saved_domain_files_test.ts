import { assertEquals, assertRejects } from "@std/assert";
import { savedDomainFiles } from "./saved_domain_files.ts";
import type { SavedDomain } from "./toolstack.ts";

const SAVED: SavedDomain = {
  settings: null,
  image: {
    kind: "image",
    version: 1,
    state: { big: 1n << 60n, bytes: Uint8Array.of(1, 2), no: null },
  },
};

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await savedDomainFiles.write(`${directory}/a`, SAVED);
    await body(`${directory}/a`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a saved domain comes back as it was", () =>
  withFile(async (path) => {
    const { settings, image } = await savedDomainFiles.read(path);
    assertEquals(settings, null);
    assertEquals([image.kind, image.state.big, [...image.state.bytes as Uint8Array]], [
      "image",
      1n << 60n,
      [1, 2],
    ]);
  }));

const DAMAGES: readonly [
  claim: string,
  damage: (bytes: Uint8Array) => Uint8Array,
  complaint: string,
][] = [
  ["that is cut short", (bytes) => bytes.subarray(0, -1), "is damaged"],
  ["with a changed byte", (bytes) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1), "is damaged"],
  [
    "of another program",
    () => new TextEncoder().encode("something\nelse"),
    "is not a saved domain",
  ],
  ["without anything", () => new Uint8Array(), "is not a saved domain"],
  [
    "of a later version",
    (bytes) =>
      new TextEncoder().encode(
        new TextDecoder().decode(bytes).replace('"version":1', '"version":9'),
      ),
    "is of version 9",
  ],
];
for (const [claim, damage, complaint] of DAMAGES) {
  Deno.test(`a file ${claim} is refused: ${complaint}`, () =>
    withFile(async (path) => {
      await Deno.writeFile(path, damage(await Deno.readFile(path)));
      await assertRejects(() => savedDomainFiles.read(path), Error, complaint);
    }));
}
