// See os_linux.h. Ports os_linux.go, mem_linux.go and sys_linux_amd64.s.
#include "os_linux.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <iterator>

#include "panic_throw.h"
#include "print.h"
#include "proc.h"
#include "stubs.h"
#include "tsan.h"

namespace gort::runtime {

GORT_SIGNALSAFE GORT_NOSPLIT long rawsyscall(long nr, long a1, long a2, long a3, long a4, long a5,
                                             long a6) {
  long ret;
  register long r10 asm("r10") = a4;
  register long r8 asm("r8") = a5;
  register long r9 asm("r9") = a6;
  asm volatile("syscall"
               : "=a"(ret)
               : "a"(nr), "D"(a1), "S"(a2), "d"(a3), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return ret;
}

namespace {

struct kerneltimespec {
  std::int64_t tv_sec;
  std::int64_t tv_nsec;
};

GORT_INLINE kerneltimespec totimespec(std::int64_t ns) {
  return {ns / 1000000000, ns % 1000000000};
}

template <class T>
GORT_INLINE long ptrarg(T* p) {
  return reinterpret_cast<long>(p);
}

// Both run on a system stack: the C library and the vdso have no stack check.
GORT_NOSPLIT void monotonicOnSystemStack(void* p) {
  clock_gettime(CLOCK_MONOTONIC, static_cast<timespec*>(p));
}
GORT_NOSPLIT void realtimeOnSystemStack(void* p) {
  clock_gettime(CLOCK_REALTIME, static_cast<timespec*>(p));
}

// Host threads enter the runtime here: the g0 of mp becomes current on this thread.
GORT_NO_STEPS GORT_NOSPLIT void* threadmain(void* arg) {
  m* mp = static_cast<m*>(arg);
  explore::enter(mp);
  mstart(mp);
  explore::leave();
  return nullptr;
}

constexpr std::size_t g0StackSize = raceenabled ? 2 << 20 : 256 << 10;

// The thread of mp; 0, or an error number. Once it is announced an explorer may give it the turn, which
// the thread that makes it must not lose before.
GORT_NO_STEPS int makethread(m* mp) {
  explore::announce(mp);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attr, g0StackSize);
  // The new thread starts with all signals blocked, as Go's clone does.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_t thread;
  int err = pthread_create(&thread, &attr, threadmain, mp);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  pthread_attr_destroy(&attr);
  if (err != 0) explore::retract(mp);
  return err;
}

}  // namespace

std::int64_t nanotime() {
  if (explore::on()) return explore::ask(explore::Kind::kNanotime);
  timespec ts;
  gort_systemstack(monotonicOnSystemStack, &ts);
  return ts.tv_sec * 1000000000 + ts.tv_nsec;
}

walltimeResult walltime() {
  if (explore::on()) {
    std::int64_t ns = explore::ask(explore::Kind::kWalltime);
    return {ns / 1000000000, static_cast<std::int32_t>(ns % 1000000000)};
  }
  timespec ts;
  gort_systemstack(realtimeOnSystemStack, &ts);
  return {ts.tv_sec, static_cast<std::int32_t>(ts.tv_nsec)};
}

GORT_SIGNALSAFE std::uint64_t cputicks() {
  if (explore::on()) return static_cast<std::uint64_t>(explore::ask(explore::Kind::kNanotime));
  return __builtin_ia32_rdtsc();
}

GORT_SIGNALSAFE void futexsleep(atomic::Uint32* addr, std::uint32_t val, std::int64_t ns) {
  // Errors mean that the value had changed, a time-out or a signal: the caller looks again anyway.
  if (explore::on()) {
    explore::ask(explore::Kind::kFutexSleep, addr->addr(), val, ns);
    return;
  }
  if (ns < 0) {
    rawsyscall(SYS_futex, ptrarg(addr->addr()), FUTEX_WAIT_PRIVATE, val, 0);
    return;
  }
  kerneltimespec ts = totimespec(ns);
  rawsyscall(SYS_futex, ptrarg(addr->addr()), FUTEX_WAIT_PRIVATE, val, ptrarg(&ts));
}

GORT_SIGNALSAFE void futexwakeup(atomic::Uint32* addr, std::uint32_t cnt) {
  if (explore::on()) {
    explore::ask(explore::Kind::kFutexWake, addr->addr(), cnt);
    return;
  }
  long ret = rawsyscall(SYS_futex, ptrarg(addr->addr()), FUTEX_WAKE_PRIVATE, cnt);
  if (GORT_LIKELY(ret >= 0)) return;
  systemstack([&] { print("futexwakeup addr=", addr->addr(), " returned ", ret, "\n"); });
  throw_("futexwakeup failed");
}

GORT_SIGNALSAFE void usleep(std::uint32_t usec) {
  if (explore::on()) {
    explore::ask(explore::Kind::kSleep, nullptr, static_cast<std::int64_t>(usec) * 1000);
    return;
  }
  kerneltimespec ts = totimespec(static_cast<std::int64_t>(usec) * 1000);
  rawsyscall(SYS_nanosleep, ptrarg(&ts), 0);
}

GORT_SIGNALSAFE void osyield() {
  if (explore::on()) {
    explore::ask(explore::Kind::kYield);
    return;
  }
  rawsyscall(SYS_sched_yield);
}

std::int32_t getproccount() {
  if (explore::on()) {
    // Drawn for each run. Where there are few Ps, one that was lost comes back in somebody else's hands.
    constexpr std::int32_t fewer[] = {2, 2, 3};
    unsigned char drawn = 0;
    getRandomData(&drawn, 1);
    return drawn % 2 == 0 ? explore::processors : fewer[drawn / 2 % std::size(fewer)];
  }
  unsigned long mask[1024] = {};
  long n = rawsyscall(SYS_sched_getaffinity, 0, sizeof mask, ptrarg(mask));
  if (n < 0) return 1;
  std::int32_t count = 0;
  for (long i = 0; i < n / 8; i++) count += __builtin_popcountl(mask[i]);
  return count == 0 ? 1 : count;
}

void getRandomData(void* p, uintptr n) {
  if (explore::on()) {
    explore::ask(explore::Kind::kRandom, p, static_cast<std::int64_t>(n));
    return;
  }
  long got = rawsyscall(SYS_getrandom, ptrarg(p), static_cast<long>(n), 0);
  if (got == static_cast<long>(n)) return;
  // No entropy yet: the clock has to do, as Go falls back to it.
  std::uint64_t v = cputicks();
  unsigned char* b = static_cast<unsigned char*>(p);
  for (uintptr i = 0; i < n; i++) {
    v = v * 6364136223846793005ull + 1442695040888963407ull;
    b[i] = static_cast<unsigned char>(v >> 56);
  }
}

GORT_SIGNALSAFE std::int32_t gettid() { return static_cast<std::int32_t>(rawsyscall(SYS_gettid)); }

GORT_SIGNALSAFE void write(int fd, const void* p, uintptr n) {
  const char* b = static_cast<const char*>(p);
  while (n > 0) {
    long w = rawsyscall(SYS_write, fd, ptrarg(b), static_cast<long>(n));
    if (w == -4) continue;  // EINTR
    if (w <= 0) return;
    b += w;
    n -= static_cast<uintptr>(w);
  }
}

GORT_SIGNALSAFE void rawexit(int code) {
  for (;;) rawsyscall(SYS_exit_group, code);
}

GORT_SIGNALSAFE GORT_NOSPLIT void killself(std::uint32_t sig) {
  struct {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } sa = {};
  rawsyscall(SYS_rt_sigaction, sig, ptrarg(&sa), 0, 8);
  unsigned long set = 1ul << (sig - 1);
  rawsyscall(SYS_rt_sigprocmask, SIG_UNBLOCK, ptrarg(&set), 0, 8);
  rawsyscall(SYS_tgkill, rawsyscall(SYS_getpid), rawsyscall(SYS_gettid), sig);
  for (;;) rawsyscall(SYS_exit_group, 2);
}

GORT_SIGNALSAFE void crash() { killself(SIGABRT); }

namespace {
void* mmapped(void* hint, uintptr n, int prot, int flags) {
  long r = rawsyscall(SYS_mmap, ptrarg(hint), static_cast<long>(n), prot,
                      MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  return r < 0 && r > -4096 ? nullptr : reinterpret_cast<void*>(r);
}

// For TSan: the kernel orders an unmapping before a later mapping of the same addresses.
[[maybe_unused]] char unmapped;
}  // namespace

void* sysAlloc(uintptr n) {
  void* p = mmapped(nullptr, n, PROT_READ | PROT_WRITE, 0);
  raceacquire(&unmapped);
  return p;
}
void* sysReserve(void* hint, uintptr n) { return mmapped(hint, n, PROT_NONE, MAP_NORESERVE); }
bool sysMap(void* p, uintptr n) {
  return mmapped(p, n, PROT_READ | PROT_WRITE, MAP_FIXED) != nullptr;
}
void sysFree(void* p, uintptr n) {
  racerelease(&unmapped);
  rawsyscall(SYS_munmap, ptrarg(p), static_cast<long>(n));
}
void sysFault(void* p, uintptr n) {
  // PROT_NONE over fresh pages: the old contents are gone as well as out of reach.
  mmapped(p, n, PROT_NONE, MAP_FIXED | MAP_NORESERVE);
}
void sysUnused(void* p, uintptr n) {
  rawsyscall(SYS_madvise, ptrarg(p), static_cast<long>(n), MADV_DONTNEED);
}

void newosproc(m* mp) {
  // pthread_create is code without a stack check and uses the heap of libc: system stack only.
  int err = 0;
  systemstack([&] { err = makethread(mp); });
  if (err == 0) return;
  systemstack([&] {
    print("runtime: failed to create new OS thread (have ", mcount(), " already; errno=", err,
          ")\n");
    if (err == 11) println("runtime: may need to increase max user processes (ulimit -u)");
  });
  throw_("newosproc");
}

}  // namespace gort::runtime
