/**
 * The ACPI tables against the ACPI reference implementation: Debian's `iasl` (package acpica-tools)
 * disassembles every table, and compiles the result again without an error or a warning.
 */

import { assertEquals } from "@std/assert";
import { buildAcpiTables, placeTables } from "../../devices/acpi/mod.ts";

const underCi = Deno.env.get("CI") === "true";
const reason = "iasl is missing: apt-get install acpica-tools";

async function iasl(directory: string, ...options: string[]): Promise<string | null> {
  try {
    const command = new Deno.Command("iasl", { args: options, cwd: directory });
    const { stdout, stderr } = await command.output();
    return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

const missing = await iasl(".", "-v") === null;

/** The tables by signature; they lie one after another at multiples of 16. */
function tables(cpus: number): Map<string, Uint8Array> {
  const processors = Array.from({ length: cpus }, (_, apicId) => ({ apicId }));
  const { parts } = placeTables(buildAcpiTables({ processors }));
  const found = new Map<string, Uint8Array>();
  const { bytes } = parts[1];
  const view = new DataView(bytes.buffer);
  let offset = 0;
  while (offset + 8 <= bytes.length) {
    const length = view.getUint32(offset + 4, true);
    const signature = new TextDecoder().decode(bytes.subarray(offset, offset + 4));
    found.set(signature, bytes.slice(offset, offset + length));
    offset = Math.ceil((offset + length) / 16) * 16;
  }
  return found;
}

for (const cpus of [1, 4, 255]) {
  Deno.test({
    name: `ACPI tables of ${cpus} CPUs pass iasl${missing ? ` (skipped: ${reason})` : ""}`,
    ignore: missing && !underCi,
    async fn() {
      if (missing) throw new Error(reason);
      const directory = await Deno.makeTempDir();
      try {
        const found = tables(cpus);
        assertEquals([...found.keys()], ["FACS", "DSDT", "FACP", "APIC", "HPET", "RSDT", "XSDT"]);
        for (const [signature, bytes] of found) await checkTable(directory, signature, bytes);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}

async function checkTable(directory: string, signature: string, bytes: Uint8Array): Promise<void> {
  await Deno.writeFile(`${directory}/${signature}.aml`, bytes);
  const disassembly = await iasl(directory, "-d", `${signature}.aml`) ?? "";
  assertEquals(/error|warning|invalid|incorrect/i.exec(disassembly), null, disassembly);
  // Without optimization (-oa) the compiler writes what was disassembled.
  const compilation = await iasl(directory, "-oa", "-p", "again", `${signature}.dsl`) ?? "";
  const summary = /(\d+) Errors, (\d+) Warnings/.exec(compilation);
  assertEquals(summary?.slice(1), ["0", "0"], compilation);
  if (signature !== "DSDT") return;
  const again = await Deno.readFile(`${directory}/again.aml`);
  assertEquals(again.subarray(36), bytes.subarray(36), "the AML survives the round trip");
}
