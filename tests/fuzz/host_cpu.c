/*
 * Executes single instructions on the host CPU, on the cases that host_fuzz_test.ts sends.
 *
 * A case is a whole user-mode state. The signal handler writes it into its own signal frame and returns: the kernel
 * loads it, the trap flag (or the breakpoint that follows the instruction) brings the next signal, and that frame holds
 * the outcome. So the only code between two cases is the kernel's.
 *
 * Input: batches of a count (uint32) and that many struct request; output: for each batch the bytes of its replies
 * (uint32) and the replies, each with the memory that changed. A first batch of count 0 carries the memory pattern.
 * The layout is also in host_process.ts.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <asm/prctl.h>
#include <sys/syscall.h>

#define PAGE 4096u
#define CODE 0x12345000ul
#define CODE_BYTES (2 * PAGE)
#define DATA 0x20000000ul
#define DATA_BYTES (2 * PAGE)
#define GS_BASE (DATA + 0x800)
#define PATCH_BYTES 64
#define CODE_MAX 16
#define FX_BYTES 416
#define MAX_BATCH 16384

#define CS_LONG 0x33
#define CS_COMPATIBILITY 0x23
#define SS_FLAT 0x2b
#define TRAP_FLAG 0x100u
#define BREAKPOINT 0xcc
#define VECTOR_DEBUG 1
#define VECTOR_BREAKPOINT 3

struct request {
  uint8_t code[CODE_MAX];
  uint8_t length;
  uint8_t is_long;
  uint8_t single_step; /* else a breakpoint behind the instruction ends the case */
  uint8_t unused;
  uint32_t code_at;  /* offset in the code pages */
  uint32_t flags;
  uint32_t patch_at; /* offset of the patch in the data pages */
  uint8_t patch[PATCH_BYTES];
  uint64_t general[16]; /* in the order of their encodings */
  uint8_t fx[FX_BYTES]; /* the start of an FXSAVE image */
};

struct reply {
  uint32_t vector; /* 1 if the instruction completed */
  uint32_t error;
  uint64_t address; /* CR2 */
  uint64_t rip;
  uint64_t flags;
  uint64_t general[16];
  uint8_t fx[FX_BYTES];
  uint32_t changed_at; /* the bytes from the first to the last one that changed follow, padded to 8 */
  uint32_t changed_bytes;
};

static const int general_registers[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static struct request requests[MAX_BATCH];
static uint8_t replies[MAX_BATCH * (sizeof(struct reply) + DATA_BYTES) / 4];
static uint8_t pattern[DATA_BYTES];
static uint8_t before[DATA_BYTES];
static uint32_t request_count, current, replied;
static int running;
static ucontext_t saved;
static struct _libc_fpstate saved_fp;

static void put_case(ucontext_t *context) {
  const struct request *in = &requests[current];
  greg_t *general = context->uc_mcontext.gregs;
  uint8_t *code = (uint8_t *)CODE + in->code_at;
  memset(code - CODE_MAX, BREAKPOINT, 3 * CODE_MAX);
  memcpy(code, in->code, in->length);
  memcpy((uint8_t *)DATA + in->patch_at, in->patch, PATCH_BYTES);
  memcpy(before + in->patch_at, in->patch, PATCH_BYTES);
  for (int i = 0; i < 16; i++) general[general_registers[i]] = in->general[i];
  general[REG_RIP] = CODE + in->code_at;
  general[REG_EFL] = in->flags | 0x202 | (in->single_step ? TRAP_FLAG : 0);
  uint64_t selectors = in->is_long ? CS_LONG : CS_COMPATIBILITY;
  general[REG_CSGSFS] = selectors | (uint64_t)SS_FLAT << 48;
  uint8_t *fp = (uint8_t *)context->uc_mcontext.fpregs;
  memcpy(fp, in->fx, 28); /* up to MXCSR, without its mask */
  memcpy(fp + 32, in->fx + 32, FX_BYTES - 32);
  *(uint64_t *)(fp + 512) |= 3; /* XSTATE_BV: x87 and SSE */
}

static void take_outcome(const ucontext_t *context) {
  const struct request *in = &requests[current];
  const greg_t *general = context->uc_mcontext.gregs;
  struct reply *out = (struct reply *)(replies + replied);
  out->vector = (uint32_t)general[REG_TRAPNO];
  out->error = (uint32_t)general[REG_ERR];
  out->address = (uint64_t)general[REG_CR2];
  out->rip = (uint64_t)general[REG_RIP];
  out->flags = (uint64_t)general[REG_EFL] & ~(uint64_t)TRAP_FLAG;
  if (out->vector == VECTOR_BREAKPOINT && out->rip == CODE + in->code_at + in->length + 1) {
    out->vector = VECTOR_DEBUG;
    out->rip--;
  }
  for (int i = 0; i < 16; i++) out->general[i] = (uint64_t)general[general_registers[i]];
  memcpy(out->fx, context->uc_mcontext.fpregs, FX_BYTES);
  uint8_t *data = (uint8_t *)DATA;
  out->changed_at = out->changed_bytes = 0;
  replied += sizeof *out;
  if (memcmp(data, before, DATA_BYTES) != 0) {
    uint32_t first = 0, last = DATA_BYTES;
    while (data[first] == before[first]) first++;
    while (data[last - 1] == before[last - 1]) last--;
    out->changed_at = first;
    out->changed_bytes = last - first;
    memcpy(replies + replied, data + first, last - first);
    replied += (last - first + 7) & ~7u;
    memcpy(data + first, pattern + first, last - first);
  }
  memcpy(data + in->patch_at, pattern + in->patch_at, PATCH_BYTES);
  memcpy(before + in->patch_at, pattern + in->patch_at, PATCH_BYTES);
}

__attribute__((used)) static void next_case(int signal, siginfo_t *info, void *frame) {
  (void)info;
  ucontext_t *context = frame;
  if (!running) {
    if (signal != SIGUSR1) _exit(3);
    saved = *context;
    memcpy(&saved_fp, context->uc_mcontext.fpregs, sizeof saved_fp);
    running = 1;
    current = replied = 0;
  } else {
    take_outcome(context);
    current++;
  }
  if (current < request_count) {
    put_case(context);
    return;
  }
  running = 0;
  memcpy(context->uc_mcontext.fpregs, &saved_fp, sizeof saved_fp);
  memcpy(context->uc_mcontext.gregs, saved.uc_mcontext.gregs, sizeof(gregset_t));
}

/* Entered with flags of the case; AC, ID and NT, which a return from a signal does not restore, are cleared. */
__attribute__((naked)) static void on_signal(int signal, siginfo_t *info, void *frame) {
  __asm__("pushfq\n\t"
          "andl $~0x244000, (%rsp)\n\t"
          "popfq\n\t"
          "jmp next_case");
  (void)signal;
  (void)info;
  (void)frame;
}

static int read_all(void *to, size_t bytes) {
  return fread(to, 1, bytes, stdin) == bytes;
}

static void map(unsigned long at, size_t bytes, int protection) {
  void *got = mmap((void *)at, bytes, protection,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
  if (got != (void *)at) {
    perror("mmap");
    exit(2);
  }
}

int main(void) {
  static uint8_t stack[1 << 16] __attribute__((aligned(64)));
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_sigaction = on_signal,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  static const int signals[] = {SIGUSR1, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS};
  uint32_t count;
  map(CODE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, DATA_BYTES, PROT_READ | PROT_WRITE);
  memset((void *)CODE, BREAKPOINT, CODE_BYTES);
  syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE);
  /* Null in 64-bit processes; compatibility mode needs them. */
  __asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" ::"r"(SS_FLAT));
  sigaltstack(&alternate, NULL);
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  if (!read_all(&count, 4) || count != 0 || !read_all(pattern, DATA_BYTES)) return 1;
  memcpy((void *)DATA, pattern, DATA_BYTES);
  memcpy(before, pattern, DATA_BYTES);
  while (read_all(&count, 4)) {
    if (count > MAX_BATCH || !read_all(requests, count * sizeof *requests)) return 1;
    request_count = count;
    raise(SIGUSR1);
    fwrite(&replied, 4, 1, stdout);
    fwrite(replies, 1, replied, stdout);
    fflush(stdout);
  }
  return 0;
}
