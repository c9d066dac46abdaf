/*
 * Runs x87 and SSE instructions of the host CPU on the cases that softfloat_oracle_test.ts sends.
 *
 * Arguments: instruction names; a case names its instruction by position in that list.
 * Input: struct request records until end of file. Output: one struct reply per request.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

struct request {
  uint32_t op;
  uint32_t control; /* MXCSR or the x87 control word */
  uint8_t a[16];
  uint8_t b[16];
};

struct reply {
  uint32_t status;  /* MXCSR or the x87 status word afterwards */
  uint32_t faulted; /* SSE: the instruction raised #XM */
  uint8_t out0[16]; /* SSE: destination; x87: ST(0), or the memory destination */
  uint8_t out1[16]; /* x87: ST(1) */
};

typedef void operation(const struct request *in, struct reply *out);

static volatile uint32_t fault_mxcsr;
static volatile uint32_t fault_seen;

/* Records MXCSR at the fault, then lets the instruction run again with everything masked. */
static void on_sigfpe(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)info;
  ucontext_t *ucontext = context;
  fault_mxcsr = ucontext->uc_mcontext.fpregs->mxcsr;
  fault_seen = 1;
  ucontext->uc_mcontext.fpregs->mxcsr |= 0x1f80;
}

/* One block per instruction, so that the compiler cannot move other SSE code between the MXCSR switches. */
#define SSE(name, code)                                                        \
  static void name(const struct request *in, struct reply *out) {              \
    uint32_t control = in->control, after, saved;                              \
    uint64_t integer = 0;                                                      \
    fault_seen = 0;                                                            \
    __asm__ volatile(                                                          \
        "stmxcsr %[saved]\n\t"                                                 \
        "movdqu %[a], %%xmm0\n\t"                                              \
        "movdqu %[b], %%xmm1\n\t"                                              \
        "movq %[a], %%rdx\n\t"                                                 \
        "xorl %%eax, %%eax\n\t"                                                \
        "ldmxcsr %[control]\n\t" code "\n\t"                                   \
        "stmxcsr %[after]\n\t"                                                 \
        "ldmxcsr %[saved]\n\t"                                                 \
        "movdqu %%xmm0, %[out]\n\t"                                            \
        : [after] "=m"(after), [saved] "=m"(saved),                            \
          [out] "=m"(out->out0), "+a"(integer)                                 \
        : [control] "m"(control), [a] "m"(in->a), [b] "m"(in->b)               \
        : "xmm0", "xmm1", "rdx", "cc", "memory");                              \
    memcpy(out->out1, &integer, 8);                                            \
    out->status = fault_seen ? fault_mxcsr : after;                            \
    out->faulted = fault_seen;                                                 \
  }

#define SSE_PAIR(op)                                                           \
  SSE(op##ss, #op "ss %%xmm1, %%xmm0")                                         \
  SSE(op##sd, #op "sd %%xmm1, %%xmm0")
SSE_PAIR(add)
SSE_PAIR(sub)
SSE_PAIR(mul)
SSE_PAIR(div)
SSE_PAIR(min)
SSE_PAIR(max)
SSE(sqrtss, "sqrtss %%xmm0, %%xmm0")
SSE(sqrtsd, "sqrtsd %%xmm0, %%xmm0")
SSE(rcpss, "rcpss %%xmm0, %%xmm0")
SSE(rsqrtss, "rsqrtss %%xmm0, %%xmm0")
SSE(addps, "addps %%xmm1, %%xmm0")
SSE(divps, "divps %%xmm1, %%xmm0")
SSE(mulpd, "mulpd %%xmm1, %%xmm0")
#define FLAGS "\n\tpushfq\n\tpopq %%rax\n\tandl $0x45, %%eax"
SSE(comiss, "comiss %%xmm1, %%xmm0" FLAGS)
SSE(comisd, "comisd %%xmm1, %%xmm0" FLAGS)
SSE(ucomiss, "ucomiss %%xmm1, %%xmm0" FLAGS)
SSE(ucomisd, "ucomisd %%xmm1, %%xmm0" FLAGS)
#define CMP(n)                                                                 \
  SSE(cmpss##n, "cmpss $" #n ", %%xmm1, %%xmm0")                               \
  SSE(cmpsd##n, "cmpsd $" #n ", %%xmm1, %%xmm0")
CMP(0) CMP(1) CMP(2) CMP(3) CMP(4) CMP(5) CMP(6) CMP(7)
#define ROUND(n)                                                               \
  SSE(roundss##n, "roundss $" #n ", %%xmm0, %%xmm0")                           \
  SSE(roundsd##n, "roundsd $" #n ", %%xmm0, %%xmm0")
ROUND(0) ROUND(1) ROUND(2) ROUND(3) ROUND(4) ROUND(8) ROUND(12)
SSE(cvtss2sd, "cvtss2sd %%xmm0, %%xmm0")
SSE(cvtsd2ss, "cvtsd2ss %%xmm0, %%xmm0")
SSE(cvtsi2ssl, "cvtsi2ssl %%edx, %%xmm0")
SSE(cvtsi2ssq, "cvtsi2ssq %%rdx, %%xmm0")
SSE(cvtsi2sdl, "cvtsi2sdl %%edx, %%xmm0")
SSE(cvtsi2sdq, "cvtsi2sdq %%rdx, %%xmm0")
#define TO_INTEGER(op)                                                         \
  SSE(op##l, #op " %%xmm0, %%eax")                                             \
  SSE(op##q, #op " %%xmm0, %%rax")
TO_INTEGER(cvtss2si)
TO_INTEGER(cvttss2si)
TO_INTEGER(cvtsd2si)
TO_INTEGER(cvttsd2si)

/*
 * x87 code runs with ST(0) = a, ST(1) = b. FNSTSW, FNCLEX and FLDCW read the outcome before any waiting
 * instruction could trap, so unmasked exceptions need no signal handler. `memory` is what memory forms store to.
 */
#define X87_BODY(setup, code, collect)                                         \
  uint16_t control = in->control, status, masked = 0x37f;                      \
  uint8_t memory[16];                                                          \
  memset(memory, 0xcc, sizeof memory);                                         \
  __asm__ volatile("fninit\n\t" setup                                          \
                   "fldcw %[control]\n\t" code "\n\t"                          \
                   "fnstsw %[status]\n\t"                                      \
                   "fnclex\n\t"                                                \
                   "fldcw %[masked]\n\t"                                       \
                   "fstpt %[out0]\n\t"                                         \
                   "fstpt %[out1]\n\t"                                         \
                   "fninit\n\t"                                                \
                   : [status] "=m"(status), [out0] "=m"(out->out0),            \
                     [out1] "=m"(out->out1), [memory] "+m"(memory)             \
                   : [control] "m"(control), [masked] "m"(masked),             \
                     [a] "m"(in->a), [b] "m"(in->b)                            \
                   : "ax", "cc", "memory", "st", "st(1)", "st(2)", "st(3)",    \
                     "st(4)", "st(5)", "st(6)", "st(7)");                      \
  out->status = status;                                                        \
  collect
#define X87(name, code)                                                        \
  static void name(const struct request *in, struct reply *out) {              \
    X87_BODY("fldt %[b]\n\tfldt %[a]\n\t", code, )                             \
  }
#define X87_STORE(name, code)                                                  \
  static void name(const struct request *in, struct reply *out) {              \
    X87_BODY("fldt %[b]\n\tfldt %[a]\n\t", code,                               \
             memcpy(out->out0, memory, 16);)                                   \
  }
#define X87_LOAD(name, code)                                                   \
  static void name(const struct request *in, struct reply *out) {              \
    X87_BODY("", code, )                                                       \
  }

X87(fadd, "fadd %%st(1), %%st")
X87(fsub, "fsub %%st(1), %%st")
X87(fmul, "fmul %%st(1), %%st")
X87(fdiv, "fdiv %%st(1), %%st")
X87(fadds, "fadds %[b]")
X87(faddl, "faddl %[b]")
X87(fsubrs, "fsubrs %[b]")
X87(fmull, "fmull %[b]")
X87(fdivs, "fdivs %[b]")
X87(fdivrl, "fdivrl %[b]")
X87(fsqrt, "fsqrt")
X87(fcom, "fcom %%st(1)")
X87(fucom, "fucom %%st(1)")
X87(fcoms, "fcoms %[b]")
X87(fcoml, "fcoml %[b]")
X87(fprem, "fprem")
X87(fprem1, "fprem1")
X87(fscale, "fscale")
X87(fxtract, "fxtract")
X87(fxam, "fxam")
X87(frndint, "frndint")
X87(f2xm1, "f2xm1")
X87(fyl2x, "fxch\n\tfyl2x")
X87(fyl2xp1, "fxch\n\tfyl2xp1")
X87(fsin, "fsin")
X87(fcos, "fcos")
X87(fsincos, "fsincos")
X87(fptan, "fptan")
X87(fpatan, "fxch\n\tfpatan")
X87_STORE(fsts, "fsts %[memory]")
X87_STORE(fstl, "fstl %[memory]")
X87_STORE(fists, "fists %[memory]")
X87_STORE(fistl, "fistl %[memory]")
X87_STORE(fistpq, "fistpll %[memory]")
X87_STORE(fisttps, "fisttps %[memory]")
X87_STORE(fisttpl, "fisttpl %[memory]")
X87_STORE(fisttpq, "fisttpll %[memory]")
X87_STORE(fbstp, "fbstp %[memory]")
X87_LOAD(flds, "flds %[a]")
X87_LOAD(fldl, "fldl %[a]")
X87_LOAD(filds, "filds %[a]")
X87_LOAD(fildl, "fildl %[a]")
X87_LOAD(fildq, "fildll %[a]")
X87_LOAD(fbld, "fbld %[a]")
X87_LOAD(fldl2t, "fldl2t")
X87_LOAD(fldl2e, "fldl2e")
X87_LOAD(fldpi, "fldpi")
X87_LOAD(fldlg2, "fldlg2")
X87_LOAD(fldln2, "fldln2")

#define ROW(name) {#name, name}
#define ROWS(name) ROW(name##ss), ROW(name##sd)
#define NUMBERED(n) ROW(cmpss##n), ROW(cmpsd##n)
#define ROUNDED(n) ROW(roundss##n), ROW(roundsd##n)
static const struct {
  const char *name;
  operation *run;
} operations[] = {
    ROWS(add), ROWS(sub), ROWS(mul), ROWS(div), ROWS(min), ROWS(max), ROWS(sqrt),
    ROW(rcpss), ROW(rsqrtss), ROW(addps), ROW(divps), ROW(mulpd),
    ROW(comiss), ROW(comisd), ROW(ucomiss), ROW(ucomisd),
    NUMBERED(0), NUMBERED(1), NUMBERED(2), NUMBERED(3),
    NUMBERED(4), NUMBERED(5), NUMBERED(6), NUMBERED(7),
    ROUNDED(0), ROUNDED(1), ROUNDED(2), ROUNDED(3), ROUNDED(4), ROUNDED(8), ROUNDED(12),
    ROW(cvtss2sd), ROW(cvtsd2ss), ROW(cvtsi2ssl), ROW(cvtsi2ssq), ROW(cvtsi2sdl), ROW(cvtsi2sdq),
    ROW(cvtss2sil), ROW(cvtss2siq), ROW(cvttss2sil), ROW(cvttss2siq),
    ROW(cvtsd2sil), ROW(cvtsd2siq), ROW(cvttsd2sil), ROW(cvttsd2siq),
    ROW(fadd), ROW(fsub), ROW(fmul), ROW(fdiv), ROW(fadds), ROW(faddl), ROW(fsubrs), ROW(fmull),
    ROW(fdivs), ROW(fdivrl), ROW(fsqrt), ROW(fcom), ROW(fucom), ROW(fcoms), ROW(fcoml),
    ROW(fprem), ROW(fprem1), ROW(fscale), ROW(fxtract), ROW(fxam), ROW(frndint),
    ROW(f2xm1), ROW(fyl2x), ROW(fyl2xp1), ROW(fsin), ROW(fcos), ROW(fsincos), ROW(fptan), ROW(fpatan),
    ROW(fsts), ROW(fstl), ROW(fists), ROW(fistl), ROW(fistpq),
    ROW(fisttps), ROW(fisttpl), ROW(fisttpq), ROW(fbstp),
    ROW(flds), ROW(fldl), ROW(filds), ROW(fildl), ROW(fildq), ROW(fbld),
    ROW(fldl2t), ROW(fldl2e), ROW(fldpi), ROW(fldlg2), ROW(fldln2),
};

static operation *find(const char *name) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++)
    if (strcmp(operations[i].name, name) == 0)
      return operations[i].run;
  return NULL;
}

int main(int argc, char **argv) {
  operation *chosen[256];
  if (argc < 2 || argc > 256) {
    fprintf(stderr, "expected 1 to 255 instruction names, found %d\n", argc - 1);
    return 2;
  }
  for (int i = 1; i < argc; i++) {
    chosen[i - 1] = find(argv[i]);
    if (chosen[i - 1] == NULL) {
      fprintf(stderr, "unknown instruction %s\n", argv[i]);
      return 2;
    }
  }
  struct sigaction action = {.sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO};
  sigaction(SIGFPE, &action, NULL);

  struct request request;
  while (fread(&request, sizeof request, 1, stdin) == 1) {
    struct reply reply;
    memset(&reply, 0, sizeof reply);
    if (request.op >= (uint32_t)argc - 1)
      return 3;
    chosen[request.op](&request, &reply);
    if (fwrite(&reply, sizeof reply, 1, stdout) != 1)
      return 4;
  }
  return 0;
}
