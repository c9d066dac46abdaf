/** The Mandelbrot set by SSE2 and by the x87: 64 points on a line, at most 64 iterations each. */

import type { Kernel } from "./kernel.ts";

const POINTS = 64;
const ITERATIONS = 64;

const sse2: Kernel = {
  name: "SSE2 mandelbrot",
  unit: "MIPS",
  rounds: 400,
  scales: true,
  bits: [32, 64],
  body: (rounds) => `
    mov ebp, ${rounds}
  .again:
    mov ebx, ${POINTS}
    movsd xmm6, [mandel_start]
  .point:
    movsd xmm7, [mandel_imaginary]
    xorpd xmm0, xmm0
    xorpd xmm1, xmm1
    mov ecx, ${ITERATIONS}
  .iterate:
    movapd xmm2, xmm0
    mulsd xmm2, xmm0
    movapd xmm3, xmm1
    mulsd xmm3, xmm1
    movapd xmm4, xmm2
    addsd xmm4, xmm3
    ucomisd xmm4, [mandel_four]
    ja .outside
    mulsd xmm1, xmm0
    addsd xmm1, xmm1
    addsd xmm1, xmm7
    subsd xmm2, xmm3
    addsd xmm2, xmm6
    movapd xmm0, xmm2
    dec ecx
    jnz .iterate
  .outside:
    addsd xmm6, [mandel_step]
    dec ebx
    jnz .point
    dec ebp
    jnz .again`,
  data: () => `
  align 8
  mandel_start: dq 0xc000000000000000
  mandel_imaginary: dq 0x3fb999999999999a
  mandel_step: dq 0x3fa47ae147ae147b
  mandel_four: dq 0x4010000000000000`,
};

const x87: Kernel = {
  name: "x87 mandelbrot",
  unit: "MIPS",
  rounds: 200,
  scales: true,
  bits: [32, 64],
  body: (rounds) => `
    fninit
    mov ebp, ${rounds}
  .again:
    mov ebx, ${POINTS}
    fld qword [mandel_start]
  .point:
    fldz
    fldz
    mov ecx, ${ITERATIONS}
  .iterate:
    fld st1
    fmul st0, st0
    fld st1
    fmul st0, st0
    fld st1
    fadd st0, st1
    fcomp qword [mandel_four]
    fnstsw ax
    test ah, 0x45
    jz .outside
    fsubp st1, st0
    fadd st0, st3
    fxch st2
    fmulp st1, st0
    fadd st0, st0
    fadd qword [mandel_imaginary]
    dec ecx
    jnz .iterate
    jmp .inside
  .outside:
    fstp st0
    fstp st0
  .inside:
    fstp st0
    fstp st0
    fadd qword [mandel_step]
    dec ebx
    jnz .point
    fstp st0
    dec ebp
    jnz .again`,
};

/** Kernels with floating point. */
export const FLOATING_KERNELS: readonly Kernel[] = [sse2, x87];
