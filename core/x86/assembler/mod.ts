/**
 * An assembler derived from the decoder's opcode tables: Intel syntax, 16-, 32- and 64-bit code. It makes
 * flat images; object files and linking are not its business.
 *
 * ```ts ignore
 * const { bytes, labels } = assemble(source, { bits: 32, origin: 0x10_0000 });
 * const patch = asm`mov eax, 1`;
 * ```
 */

export { asm, type AsmValue } from "./asm.ts";
export { assemble, type Assembled, type AssembleOptions } from "./assemble.ts";
