/** The symbol table of ELF files. Source: System V ABI, "Symbol Table". */

import type { CodeSymbol } from "../../core/lib/symbol_table.ts";
import { elfSection, parseElf } from "./elf.ts";
import { ByteView, defineLayout } from "./layout.ts";

const sym32 = defineLayout("Elf32_Sym", 16, {
  st_name: [0, 4],
  st_value: [4, 4],
  st_size: [8, 4],
  st_info: [12, 1],
  st_shndx: [14, 2],
});

const sym64 = defineLayout("Elf64_Sym", 24, {
  st_name: [0, 4],
  st_info: [4, 1],
  st_shndx: [6, 2],
  st_value: [8, 8],
  st_size: [16, 8],
});

const STT_NOTYPE = 0;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const SHN_UNDEF = 0;

/** The functions that the symbol table of an x86 ELF file names; none if it has no table. Throws `BootError`. */
export function elfFunctions(bytes: Uint8Array, subject = "ELF file"): CodeSymbol[] {
  return symbolsOf(bytes, [STT_FUNC], subject);
}

/** As {@link elfFunctions}, with variables and places without a type. */
export function elfNames(bytes: Uint8Array, subject = "ELF file"): CodeSymbol[] {
  return symbolsOf(bytes, [STT_FUNC, STT_OBJECT, STT_NOTYPE], subject)
    .filter(({ name }) => name !== "");
}

function symbolsOf(bytes: Uint8Array, types: readonly number[], subject: string): CodeSymbol[] {
  const table = elfSection(bytes, ".symtab", subject);
  const names = elfSection(bytes, ".strtab", subject);
  if (!table || !names) return [];
  const layout = parseElf(bytes, subject).bits === 64 ? sym64 : sym32;
  const view = new ByteView(table, `symbol table of the ${subject}`);
  const found: CodeSymbol[] = [];
  for (let at = 0; at + layout.sizeBytes <= table.length; at += layout.sizeBytes) {
    const isWanted = types.includes(view.get(layout, "st_info", at) & 0xf);
    if (!isWanted || view.get(layout, "st_shndx", at) === SHN_UNDEF) continue;
    const name = view.get(layout, "st_name", at);
    const end = names.indexOf(0, name);
    found.push({
      name: String.fromCharCode(...names.subarray(name, end < 0 ? names.length : end)),
      address: view.getBig(layout, "st_value", at),
      sizeBytes: Number(view.getBig(layout, "st_size", at)),
    });
  }
  return found;
}
