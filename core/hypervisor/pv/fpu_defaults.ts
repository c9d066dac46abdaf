/** The floating-point units as FNINIT and a reset leave them (SDM vol. 1, "x87 FPU Control Word", "MXCSR"). */

export const X87_CONTROL_DEFAULT = 0x37f;
export const MXCSR_DEFAULT = 0x1f80;
