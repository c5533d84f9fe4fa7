// What a goroutine has in its registers when a signal stops it: it gets all of it back, and the
// collector sees the pointers there.
//
// gort_test_registers, below, fills every register and the flags, runs a loop that changes rcx only,
// and writes down what it finds afterwards.
#include <cstring>

#include "tests/preemptstorm.h"

using namespace gort;
using namespace gort::test;

namespace {

struct Registers {
  // rax rbx rdx rsi rdi r8 ... r15
  std::uint64_t general[13];
  std::uint64_t flags;
  std::uint64_t vector[16][4];  // ymm, or xmm in the first half
  std::uint64_t avx;
  std::uint64_t mxcsr;
};

extern "C" void gort_test_registers(Registers* r, std::uint64_t iterations);

asm(R"(
    .text
    .globl gort_test_registers
    .type gort_test_registers, @function
    .p2align 4
gort_test_registers:
    pushq %rbp
    movq %rsp, %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi
    movq %rsi, %rcx
    ldmxcsr 632(%rdi)
    cmpq $0, 624(%rdi)
    je 1f
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovdqu 112+32*\i(%rdi), %ymm\i
    .endr
    jmp 2f
1:
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movdqu 112+32*\i(%rdi), %xmm\i
    .endr
2:
    movq (%rdi), %rax
    movq 8(%rdi), %rbx
    movq 16(%rdi), %rdx
    movq 24(%rdi), %rsi
    movq 40(%rdi), %r8
    movq 48(%rdi), %r9
    movq 56(%rdi), %r10
    movq 64(%rdi), %r11
    movq 72(%rdi), %r12
    movq 80(%rdi), %r13
    movq 88(%rdi), %r14
    movq 96(%rdi), %r15
    pushq 104(%rdi)
    movq 32(%rdi), %rdi
    popfq
3:
    leaq -1(%rcx), %rcx
    jrcxz 4f
    jmp 3b
4:
    pushfq
    cld
    pushq %rdi
    movq 16(%rsp), %rdi
    movq %rax, (%rdi)
    movq %rbx, 8(%rdi)
    movq %rdx, 16(%rdi)
    movq %rsi, 24(%rdi)
    popq 32(%rdi)
    movq %r8, 40(%rdi)
    movq %r9, 48(%rdi)
    movq %r10, 56(%rdi)
    movq %r11, 64(%rdi)
    movq %r12, 72(%rdi)
    movq %r13, 80(%rdi)
    movq %r14, 88(%rdi)
    movq %r15, 96(%rdi)
    popq 104(%rdi)
    stmxcsr 632(%rdi)
    cmpq $0, 624(%rdi)
    je 5f
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovdqu %ymm\i, 112+32*\i(%rdi)
    .endr
    vzeroupper
    jmp 6f
5:
    .irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movdqu %xmm\i, 112+32*\i(%rdi)
    .endr
6:
    popq %rdi
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size gort_test_registers, . - gort_test_registers
)");

static_assert(offsetof(Registers, flags) == 104 && offsetof(Registers, vector) == 112 &&
              offsetof(Registers, avx) == 624 && offsetof(Registers, mxcsr) == 632);

constexpr std::uint64_t carry = 1, parity = 4, adjust = 16, zero = 64, sign = 128, direction = 1024,
                        overflow = 2048;
constexpr std::uint64_t arithmetic = carry | parity | adjust | zero | sign | direction | overflow;

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 31;
  x *= 0x7fb5d329728ea185;
  x ^= x >> 27;
  return x * 0x81dadef4bc2dd44d;
}

void fill(Registers& r, std::uint64_t seed, std::uint64_t flags) {
  for (std::uint64_t& v : r.general) v = mix(++seed);
  for (auto& row : r.vector)
    for (std::uint64_t& v : row) v = mix(++seed);
  r.flags = flags | 0x202;
  r.avx = __builtin_cpu_supports("avx2") ? 1 : 0;
  r.mxcsr = 0x1f80 | (seed & 3) << 13;  // with a rounding mode
}

void registers(int preemptions) {
  static PreemptStorm storm;
  storm.start();
  constexpr int goroutines = 3;
  auto done = make_chan<bool>();
  for (int g = 0; g < goroutines; g++)
    go([=] {
      const std::uint64_t patterns[] = {0, arithmetic, carry | zero | direction, sign | overflow};
      int slot = storm.enter();
      for (std::uint64_t round = 0; PreemptStorm::stopped() < preemptions; round++) {
        Registers want, got;
        std::memset(&want, 0, sizeof want);
        fill(want, round * 1000 + static_cast<std::uint64_t>(g), patterns[round % 4]);
        got = want;
        gort_test_registers(&got, 20000);
        for (int i = 0; i < 13; i++) CHECK_GO(got.general[i] == want.general[i]);
        CHECK_GO((got.flags & arithmetic) == (want.flags & arithmetic));
        CHECK_GO((got.mxcsr & 0xffc0) == (want.mxcsr & 0xffc0));
        for (int i = 0; i < 16; i++)
          for (int j = 0; j < (want.avx != 0 ? 4 : 2); j++)
            CHECK_GO(got.vector[i][j] == want.vector[i][j]);
        std::uint32_t usual = 0x1f80;
        asm volatile("ldmxcsr %0" : : "m"(usual));
      }
      storm.leave(slot);
      done.send(true);
    });
  for (int g = 0; g < goroutines; g++) done.recv();
  storm.stop();
}

}  // namespace

// The goroutines stop each other as well: they have the same registers and other values in them.
GORT_TEST("all registers and flags survive 10,000 preemptions") { registers(10000); }

namespace {

struct Object {
  long payload[4];
};
std::atomic<int> current{0};  // number of the object that is looked at
std::atomic<bool> freed{false};  // it has been
std::atomic<int> holding{0};
std::atomic<int> release{0};

// The only pointer to a new object, with all bits inverted, as long as it stands in *cell.
GORT_NOINLINE void newObject(std::uint64_t* cell) {
  auto* o = make<Object>();
  for (long& p : o->payload) p = 0x5ca1ab1e;
  runtime::SetFinalizer(o, [number = current.load()](Object*) {
    if (number == current) freed = true;
  });
  *cell = ~reinterpret_cast<std::uint64_t>(o);
}

// Whatever is left over in registers that functions need not keep.
GORT_INLINE void forget() {
  asm volatile(
      "xorl %%eax, %%eax\n\t"
      "xorl %%ecx, %%ecx\n\t"
      "xorl %%edx, %%edx\n\t"
      "xorl %%esi, %%esi\n\t"
      "xorl %%edi, %%edi\n\t"
      "xorl %%r8d, %%r8d\n\t"
      "xorl %%r9d, %%r9d\n\t"
      "xorl %%r10d, %%r10d\n\t"
      "xorl %%r11d, %%r11d\n\t"
      "pxor %%xmm0, %%xmm0\n\t"
      "pxor %%xmm1, %%xmm1\n\t"
      "pxor %%xmm2, %%xmm2\n\t"
      "pxor %%xmm3, %%xmm3"
      :
      :
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
        "cc");
}

// Moves ~*cell, or *cell as it is, to a register, clears *cell, waits for release, and puts it back.
#define HOLD_GENERAL(reg)                                                                        \
  {"%" reg, [](std::uint64_t* cell, bool inverted) {                                             \
     asm volatile(                                                                               \
         "movq (%[cell]), %%" reg                                                                \
         "\n\t"                                                                                  \
         "testb %[inv], %[inv]\n\t"                                                              \
         "jne 1f\n\t"                                                                            \
         "notq %%" reg                                                                           \
         "\n"                                                                                    \
         "1:\tmovq $0, (%[cell])\n\t"                                                            \
         "movl $1, %[holding]\n"                                                                 \
         "2:\tcmpl $0, %[release]\n\t"                                                           \
         "je 2b\n\t"                                                                             \
         "movq %%" reg ", (%[cell])\n\t"                                                         \
         :                                                                                       \
         : [cell] "r"(cell), [inv] "r"(inverted), [holding] "m"(holding), [release] "m"(release) \
         : reg, "memory", "cc");                                                                 \
   }}
#define HOLD_VECTOR(reg)                                                             \
  {"%" reg, [](std::uint64_t* cell, bool inverted) {                                 \
     if (!inverted) *cell = ~*cell;                                                  \
     asm volatile("movq (%[cell]), %%" reg                                           \
                  "\n\t"                                                             \
                  "movq $0, (%[cell])\n\t"                                           \
                  "movl $1, %[holding]\n"                                            \
                  "2:\tcmpl $0, %[release]\n\t"                                      \
                  "je 2b\n\t"                                                        \
                  "movq %%" reg ", (%[cell])\n\t"                                    \
                  :                                                                  \
                  : [cell] "r"(cell), [holding] "m"(holding), [release] "m"(release) \
                  : reg, "memory", "cc");                                            \
   }}

using holder = void (*)(std::uint64_t* cell, bool inverted);
const std::pair<const char*, holder> holders[] = {
    HOLD_GENERAL("rax"), HOLD_GENERAL("rbx"), HOLD_GENERAL("rcx"),  HOLD_GENERAL("rdx"),
    HOLD_GENERAL("rsi"), HOLD_GENERAL("rdi"), HOLD_GENERAL("r8"),   HOLD_GENERAL("r9"),
    HOLD_GENERAL("r10"), HOLD_GENERAL("r11"), HOLD_GENERAL("r12"),  HOLD_GENERAL("r13"),
    HOLD_GENERAL("r14"), HOLD_GENERAL("r15"), HOLD_VECTOR("xmm0"),  HOLD_VECTOR("xmm1"),
    HOLD_VECTOR("xmm7"), HOLD_VECTOR("xmm8"), HOLD_VECTOR("xmm15"),
};

// The upper half of a ymm register, which lies in another part of what is saved.
__attribute__((target("avx2"))) void holdUpper(std::uint64_t* cell, bool inverted) {
  if (!inverted) *cell = ~*cell;
  asm volatile(
      "vpxor %%xmm0, %%xmm0, %%xmm0\n\t"
      "movq (%[cell]), %%xmm0\n\t"
      "movq $0, (%[cell])\n\t"
      "vinserti128 $1, %%xmm0, %%ymm5, %%ymm5\n\t"
      "vpxor %%xmm0, %%xmm0, %%xmm0\n\t"
      "movl $1, %[holding]\n"
      "2:\tcmpl $0, %[release]\n\t"
      "je 2b\n\t"
      "vextracti128 $1, %%ymm5, %%xmm0\n\t"
      "movq %%xmm0, (%[cell])\n\t"
      "vzeroupper\n\t"
      :
      : [cell] "r"(cell), [holding] "m"(holding), [release] "m"(release)
      : "xmm0", "xmm5", "memory", "cc");
}

// Collects while hold keeps the object: true if the object was freed.
bool freedWhileHeld(holder hold, bool inverted) {
  current++;
  freed = false;
  holding = 0;
  release = 0;
  auto done = make_chan<std::uint64_t>(1);
  go([=] {
    std::uint64_t cell;
    newObject(&cell);
    forget();
    hold(&cell, inverted);
    if (inverted) cell = ~cell;
    auto* o = reinterpret_cast<Object*>(cell);
    done.send(inverted ? 0 : static_cast<std::uint64_t>(o->payload[0] ^ o->payload[3]));
  });
  while (holding == 0) runtime::Gosched();
  for (int i = 0; i < 2; i++) {
    runtime::GC();
    runtime::Gosched();
  }
  bool was = freed;
  if (inverted)
    // Finalizers run on a goroutine of their own.
    for (int i = 0; i < 100 && !was; i++) {
      runtime::GC();
      runtime::Gosched();
      was = freed;
    }
  release = 1;
  CHECK_GO(done.recv() == 0);
  return was;
}

const Env clobber{{"GODEBUG", "clobberfree=1"}};

}  // namespace

GORT_TEST("a pointer that stands in a register only keeps its object", clobber) {
  for (auto [name, hold] : holders) {
    bool was = freedWhileHeld(hold, false);
    if (was) println(name);
    CHECK_GO(!was);
  }
  if (__builtin_cpu_supports("avx2")) CHECK_GO(!freedWhileHeld(holdUpper, false));
}

// That the test above can fail: the collector does not know the object by its inverted address.
GORT_TEST("an object whose address stands nowhere is freed", clobber) {
  CHECK_GO(freedWhileHeld(holders[1].second, true));
  CHECK_GO(freedWhileHeld(holders[17].second, true));
}
