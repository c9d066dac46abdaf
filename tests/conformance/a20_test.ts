/** The A20 gate, which hides bit 20 of physical addresses, under paging and without. */

import { assertEquals } from "@std/assert";
import { physical } from "../../core/lib/brand.ts";
import { createMachine } from "../../testbed/machine.ts";
import { kernelOf } from "./small_kernel.ts";
import { ENGINES } from "./small_machine.ts";

/** Its bit 20 is zero, so that the program stays where it is. */
const LOAD_ADDRESS = 0x20_0000;
const RESULTS = 0x600;
const MIB = 0x10_0000;
/** Two page directories that only bit 20 tells apart: linear 4 MiB is physical 0 in the low one, 8 MiB in the other. */
const PAGING = `
  mov dword [0x3000], 0x83
  mov dword [0x3004], 0x83
  mov dword [0x103000], 0x83
  mov dword [0x103004], 0x800083
  mov eax, 0x103000
  mov cr3, eax
  mov eax, 0x10
  mov cr4, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax`;
const FLAT = "";

/** Looks at both sides of the gate while it is closed and after it is opened. */
const program = (mode: string) => `
  mov dword [0x500], 0x1111
  mov dword [0x100500], 0x2222
  mov dword [0x800500], 0x3333
  ${mode}
  mov al, 0xd1
  out 0x64, al
  mov al, 0xdd
  out 0x60, al
  mov al, 0
  out 0x92, al
  mov eax, [0x100500]
  mov [${RESULTS}], eax
  mov eax, [0x400500]
  mov [${RESULTS} + 4], eax
  mov dword [0x100700], 0x4444
  mov al, 2
  out 0x92, al
  mov eax, [0x100500]
  mov [${RESULTS} + 8], eax
  mov eax, [0x400500]
  mov [${RESULTS} + 12], eax
  cli
  hlt`;

const CASES: readonly (readonly [mode: string, source: string, results: readonly number[]])[] = [
  ["without paging", FLAT, [0x1111, 0, 0x2222, 0]],
  ["under paging, tables included,", PAGING, [0x1111, 0x1111, 0x2222, 0x3333]],
];

for (const engine of ENGINES) {
  for (const [mode, source, results] of CASES) {
    Deno.test(`${engine}: the A20 gate ${mode} hides bit 20 until it opens`, async () => {
      const kernel = kernelOf(program(source), LOAD_ADDRESS);
      const machine = await createMachine({ kernel, memory: "16MiB", engine });
      assertEquals((await machine.run()).kind, "halted");
      const word = (address: number) =>
        new DataView(machine.memory.readBytes(physical(address), 4).buffer).getUint32(0, true);
      assertEquals(results.map((_, i) => word(RESULTS + 4 * i)), results);
      assertEquals([word(0x700), word(0x700 + MIB)], [0x4444, 0]);
    });
  }
}
