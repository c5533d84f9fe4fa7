// What runs in the handler of SIGPROF, and the writer's side of profBuf. See cpuprof.h and profbuf.h.
//
// Every function here is uninstrumented (the pragma below) and calls only its like, what is inlined, and
// the kernel: a test looks at the object file.
//
// Invariants of the walk:
//  - A frame is accepted if it lies in the stack, above the one before, and aligned: so no read faults
//    and the walk ends, whatever the interrupted code had in rbp.
//  - From the base of g0's stack the walk goes on where its goroutine called systemstack, but only
//    while that goroutine counts as running: then its stack cannot be moved by another thread.
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "cpuprof.h"
#include "stubs.h"

#pragma clang attribute push(__attribute__((disable_sanitizer_instrumentation)), \
                             apply_to = function)

// The linker's.
extern "C" const char __executable_start[];
extern "C" const char etext[];

namespace gort::runtime {

cpuProfile cpuprof;
profT prof;
extern uintptr vdsoLo, vdsoHi;

namespace {

GORT_INLINE long sigsyscall(long nr, long a1 = 0, long a2 = 0) {
  long ret;
  asm volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a1), "S"(a2) : "rcx", "r11", "memory");
  return ret;
}

GORT_INLINE std::int64_t signanotime() {
  timespec ts;
  sigsyscall(SYS_clock_gettime, CLOCK_MONOTONIC, reinterpret_cast<long>(&ts));
  return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

GORT_INLINE void lockSignal() {
  while (!prof.signalLock.CompareAndSwap(0, 1)) sigsyscall(SYS_sched_yield);
}
GORT_INLINE void unlockSignal() { prof.signalLock.Store(0); }

GORT_INLINE uintptr load(uintptr p) { return *reinterpret_cast<volatile uintptr*>(p); }

GORT_INLINE bool inText(uintptr pc) {
  return pc >= reinterpret_cast<uintptr>(__executable_start) &&
         pc < reinterpret_cast<uintptr>(etext);
}

GORT_INLINE uintptr retpc(void (*f)()) { return reinterpret_cast<uintptr>(f) + 1; }

// How far above sp the return address is if the function at pc has no frame yet, or none any more; -1
// if its frame stands, or when that cannot be seen.
GORT_INLINE int returnAddressAt(uintptr pc) {
  if (!inText(pc) || !inText(pc + 16)) return -1;
  const auto* c = reinterpret_cast<const unsigned char*>(pc);
  if (c[0] == 0x55 || c[0] == 0xc3) return 0;  // push %rbp; ret
  if (c[0] == 0x48 && c[1] == 0x89 && c[2] == 0xe5) return 8;  // mov %rsp,%rbp
  // The stack check: cmp %fs:112,%rsp, or lea -N(%rsp),%r11; cmp %fs:112,%r11.
  if (c[0] == 0x64 && (c[1] & 0xf8) == 0x48 && c[2] == 0x3b && c[4] == 0x25 && c[5] == 0x70)
    return 0;
  if (c[0] == 0x4c && c[1] == 0x8d && c[2] == 0x9c && c[3] == 0x24) return 0;
  return -1;
}

struct walker {
  uintptr lo, hi;  // the stack
  uintptr limit;  // frames below are done
  int n;
  uintptr* stk;

  GORT_INLINE void add(uintptr pc) {
    if (n < maxCPUProfStack) stk[n++] = pc;
  }
  GORT_INLINE bool holds(uintptr p, uintptr size) const {
    return p >= limit && p % sys::PtrSize == 0 && p < hi && hi - p >= size;
  }
  // Follows the frame pointers from bp on.
  GORT_INLINE void walk(uintptr bp) {
    while (n < maxCPUProfStack && holds(bp, 2 * sys::PtrSize)) {
      uintptr pc = load(bp + sys::PtrSize);
      if (pc < 4096) return;
      add(pc);
      limit = bp + 2 * sys::PtrSize;
      bp = load(bp);
    }
  }
};

// Whether gp's stack belongs to this thread, where gp has called systemstack or a system call.
GORT_INLINE bool ownsStack(g* gp) {
  std::uint32_t s = gp->atomicstatus.Load() & ~_Gscan;
  return s == _Grunning || s == _Gsyscall;
}

// Return addresses of the interrupted code, the place itself first; returns their number.
int sigcallers(uintptr pc, uintptr sp, uintptr bp, g* gp, m* mp, uintptr* stk) {
  walker w{gp->stack.lo, gp->stack.hi, sp, 0, stk};
  w.add(pc + 1);  // readers take 1 off
  if (sp >= w.lo && sp < w.hi) {
    if (int at = returnAddressAt(pc); at >= 0 && w.holds(sp + static_cast<uintptr>(at), 8)) {
      w.add(load(sp + static_cast<uintptr>(at)));
      w.limit = sp + static_cast<uintptr>(at) + sys::PtrSize;
    }
    w.walk(bp);
  }
  g* curg = mp->curg;
  if (gp == mp->g0 && curg != nullptr && ownsStack(curg) && curg->sched.sp != 0) {
    w.lo = curg->stack.lo;
    w.hi = curg->stack.hi;
    w.limit = curg->sched.sp;
    if (w.limit >= w.lo && w.limit < w.hi) {
      w.add(curg->sched.pc);
      w.walk(curg->sched.bp);
    }
  }
  return w.n;
}

}  // namespace

bool validSIGPROF(m* mp, std::int32_t code) {
  bool setitimer = code == SI_KERNEL;
  bool timer_create = code == SI_TIMER;
  // From somebody else: no reason to drop it.
  if (!setitimer && !timer_create) return true;
  if (mp == nullptr) return setitimer;
  return mp->profileTimerValid.Load() ? timer_create : setitimer;
}

void sigprof(uintptr pc, uintptr sp, uintptr bp, g* gp, m* mp) {
  if (prof.hz.Load() == 0) return;
  // This thread may be the one that holds signalLock.
  if (mp->profilehz == 0) return;
  mp->mallocing++;

  // Zeroing it would be a call of memset, which TSan intercepts.
  [[clang::uninitialized]] uintptr stk[maxCPUProfStack];
  int n = sigcallers(pc, sp, bp, gp, mp, stk);
  if (n <= 1 && !inText(pc)) {
    // Code without frames that is not the program's.
    stk[0] = retpc(pc >= vdsoLo && pc < vdsoHi ? _VDSO : _ExternalCode);
    const char* off = mp->preemptoff;
    stk[1] = retpc(off != nullptr && off[0] != 0 ? _GC : _System);
    n = 2;
  }
  g* curg = mp->curg;
  cpuprof.add(curg != nullptr ? static_cast<void*>(curg->labels) : nullptr, stk, n);
  mp->mallocing--;
}

void sigprofNonGoPC(uintptr pc) {
  if (prof.hz.Load() == 0) return;
  uintptr stk[] = {pc + 1, retpc(_ExternalCode)};
  cpuprof.addNonGo(stk, 2);
}

void cpuProfile::add(void* tag, const uintptr* stk, int n) {
  lockSignal();
  if (prof.hz.Load() != 0) {
    if (numExtra > 0 || lostExtra > 0) addExtra();
    std::uint64_t hdr = 1;
    static_cast<profBuf*>(log)->write(tag, signanotime(), &hdr, 1, stk,
                                      static_cast<std::uint32_t>(n));
  }
  unlockSignal();
}

void cpuProfile::addNonGo(const uintptr* stk, int n) {
  lockSignal();
  if (numExtra + 1 + n < static_cast<int>(sizeof extra / sizeof extra[0])) {
    extra[numExtra++] = 1 + static_cast<uintptr>(n);
    for (int i = 0; i < n; i++) extra[numExtra++] = stk[i];
  } else {
    lostExtra++;
  }
  unlockSignal();
}

// prof.signalLock must be held, or no handler write any more.
void cpuProfile::addExtra() {
  profBuf* to = log;
  std::uint64_t hdr = 1;
  for (int i = 0; i < numExtra;) {
    auto n = static_cast<int>(extra[i]);
    to->write(nullptr, 0, &hdr, 1, &extra[i + 1], static_cast<std::uint32_t>(n - 1));
    i += n;
  }
  numExtra = 0;
  if (lostExtra > 0) {
    hdr = lostExtra;
    uintptr stk[] = {retpc(_LostExternalCode), retpc(_ExternalCode)};
    to->write(nullptr, 0, &hdr, 1, stk, 2);
    lostExtra = 0;
  }
}

// ---- profBuf ----

bool profBuf::canWriteRecords(const std::uint32_t* nstk, int n) const {
  profIndex br{r.Load()}, bw{w.Load()};
  if (countSub(br.tagCount(), bw.tagCount()) + static_cast<int>(ntags) < n) return false;
  int nd = countSub(br.dataCount(), bw.dataCount()) + static_cast<int>(ndata);
  int i = static_cast<int>(bw.dataCount() % ndata);
  int size = static_cast<int>(ndata);
  for (int k = 0; k < n; k++) {
    int want = static_cast<int>(2 + hdrsize + nstk[k]);
    if (i + want > size) {
      nd -= size - i;
      i = 0;
    }
    i += want;
    nd -= want;
  }
  return nd >= 0;
}

profBuf::overflowResult profBuf::takeOverflow() {
  for (;;) {
    std::uint64_t old = overflow.Load();
    std::uint64_t time = overflowTime.Load();
    auto count = static_cast<std::uint32_t>(old);
    if (count == 0) return {0, 0};
    if (overflow.CompareAndSwap(old, ((old >> 32) + 1) << 32)) return {count, time};
  }
}

void profBuf::incrementOverflow(std::int64_t now) {
  for (;;) {
    std::uint64_t old = overflow.Load();
    auto count = static_cast<std::uint32_t>(old);
    if (count == 0) {
      // Nobody else changes a 0. The time comes first, for who sees the count.
      overflowTime.Store(static_cast<std::uint64_t>(now));
      overflow.Store((((old >> 32) + 1) << 32) + 1);
      return;
    }
    if (count == ~std::uint32_t(0)) return;  // sticks there
    if (overflow.CompareAndSwap(old, old + 1)) return;
  }
}

void profBuf::wakeupExtra() { w.Or(profWriteExtra); }

void profBuf::write(void* tag, std::int64_t now, const std::uint64_t* hdr, std::uint32_t nhdr,
                    const uintptr* stk, std::uint32_t nstk) {
  const std::uint32_t both[] = {1, nstk};
  bool lost = hasOverflow();
  if (lost && canWriteRecords(both, 2)) {
    if (auto [count, time] = takeOverflow(); count > 0) {
      uintptr n = count;
      write(nullptr, static_cast<std::int64_t>(time), nullptr, 0, &n, 1);
    }
  } else if (lost || !canWriteRecords(&nstk, 1)) {
    incrementOverflow(now);
    wakeupExtra();
    return;
  }

  profIndex bw{w.Load()};
  if (tag != nullptr) tags[bw.tagCount() % ntags] = tag;
  std::uint32_t want = 2 + hdrsize + nstk;
  std::uint32_t wd = bw.dataCount() % ndata;
  std::uint32_t skip = 0;
  if (wd + want > ndata) {
    data[wd] = 0;
    skip = ndata - wd;
    wd = 0;
  }
  data[wd] = want;
  data[wd + 1] = static_cast<std::uint64_t>(now);
  for (std::uint32_t i = 0; i < hdrsize; i++) data[wd + 2 + i] = i < nhdr ? hdr[i] : 0;
  for (std::uint32_t i = 0; i < nstk; i++) data[wd + 2 + hdrsize + i] = stk[i];
  for (;;) {
    // The reader may be taking profWriteExtra off.
    std::uint64_t old = w.Load();
    profIndex nw = profIndex{old}.addCountsAndClearFlags(static_cast<int>(skip + want), 1);
    if (w.CompareAndSwap(old, nw.v)) return;
  }
}

}  // namespace gort::runtime

#pragma clang attribute pop
