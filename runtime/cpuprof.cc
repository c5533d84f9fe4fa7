// See cpuprof.h. Starting and stopping the CPU profile.
#include "cpuprof.h"

#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "os_linux.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {

uintptr vdsoLo, vdsoHi;  // constant once the first profile has begun

namespace {

// Room for 19 seconds of a thread at 100 Hz, with the deepest stacks.
constexpr std::uint32_t profBufWordCount = 1 << 17;
constexpr std::uint32_t profBufTagCount = 1 << 14;

// The process-wide timer, for threads that are not the runtime's. The handler has been there since the
// start.
void setProcessCPUProfiler(std::int32_t hz) {
  if (explore::on()) return;
  itimerval it = {};
  if (hz != 0) it.it_interval.tv_usec = it.it_value.tv_usec = 1000000 / hz;
  rawsyscall(SYS_setitimer, ITIMER_PROF, reinterpret_cast<long>(&it), 0);
}

void deleteTimer(std::int32_t timerid) {
  long ret = rawsyscall(SYS_timer_delete, timerid);
  if (ret == 0) return;
  print("runtime: failed to disable profiling timer; timer_delete(", timerid, ") errno=", -ret,
        "\n");
  throw_("timer_delete");
}

// The caller keeps its M.
void setcpuprofilerate(std::int32_t hz) {
  // No handler of this thread may wait for the lock that this thread holds.
  setThreadCPUProfiler(0);
  while (!prof.signalLock.CompareAndSwap(0, 1)) osyield();
  if (prof.hz.Load() != hz) {
    setProcessCPUProfiler(hz);
    prof.hz.Store(hz);
  }
  prof.signalLock.Store(0);
  lock(&sched.lock);
  sched.profilehz = hz;
  unlock(&sched.lock);
  if (hz != 0) setThreadCPUProfiler(hz);
}

void findVDSO() {
  // Two pages at most, data and code.
  vdsoLo = getauxval(AT_SYSINFO_EHDR);
  vdsoHi = vdsoLo == 0 ? 0 : vdsoLo + 2 * 4096;
}

// On the system stack.
void startProfile(profBuf* log, std::int32_t hz) {
  lock(&cpuprof.lock);
  if (cpuprof.on || cpuprof.log != nullptr) {
    unlock(&cpuprof.lock);
    print("runtime: cannot set cpu profile rate until previous profile has finished.\n");
    return;
  }
  cpuprof.on = true;
  std::uint64_t hdr = static_cast<std::uint64_t>(hz);
  log->write(nullptr, nanotime(), &hdr, 1, nullptr, 0);
  cpuprof.log = log;
  setcpuprofilerate(hz);
  unlock(&cpuprof.lock);
}

void stopProfile() {
  lock(&cpuprof.lock);
  if (cpuprof.on) {
    setcpuprofilerate(0);
    cpuprof.on = false;
    cpuprof.addExtra();
    cpuprof.log->close();
  }
  unlock(&cpuprof.lock);
}

}  // namespace

void setThreadCPUProfiler(std::int32_t hz) {
  m* mp = acquirem();
  mp->profilehz = hz;
  if (mp->profileTimerValid.Load()) {
    mp->profileTimerValid.Store(false);
    deleteTimer(mp->profileTimer);
    mp->profileTimer = 0;
  }
  // The time of an explored program is not the kernel's.
  if (hz != 0 && !explore::on()) {
    // The first tick after a random time in (0, period]: a thread that runs for a tenth of a period
    // gets a sample in one of ten cases, and not always or never.
    auto period = static_cast<std::int64_t>(1000000000) / hz;
    itimerspec spec = {};
    spec.it_value.tv_nsec = 1 + fastrandn(static_cast<std::uint32_t>(period));
    spec.it_interval.tv_nsec = period;
    if (hz == 1) {
      spec.it_interval = {1, 0};
      if (spec.it_value.tv_nsec == 1000000000) spec.it_value = {1, 0};
    }
    sigevent sevp = {};
    sevp.sigev_notify = SIGEV_THREAD_ID;
    sevp.sigev_signo = SIGPROF;
    sevp._sigev_un._tid = static_cast<int>(static_cast<std::uint64_t>(mp->procid));
    std::int32_t timerid = 0;
    long ret = rawsyscall(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, reinterpret_cast<long>(&sevp),
                          reinterpret_cast<long>(&timerid));
    // Without a timer of its own the thread is left to setitimer.
    if (ret == 0) {
      ret = rawsyscall(SYS_timer_settime, timerid, 0, reinterpret_cast<long>(&spec), 0);
      if (ret != 0) {
        print("runtime: failed to configure profiling timer; timer_settime(", timerid,
              ") errno=", -ret, "\n");
        throw_("timer_settime");
      }
      mp->profileTimer = timerid;
      mp->profileTimerValid.Store(true);
    }
  }
  releasem(mp);
}

void SetCPUProfileRate(int hz) {
  constexpr int maxHz = 1000000;
  if (hz <= 0) {
    systemstack([] { stopProfile(); });
    return;
  }
  if (hz > maxHz) hz = maxHz;
  profBuf* log = profBuf::make(1, profBufWordCount, profBufTagCount);
  systemstack([=] {
    if (vdsoLo == 0) findVDSO();
    startProfile(log, hz);
  });
  if (cpuprof.log != log) log->free();
}

profBuf::readResult readProfile(std::uint64_t* dst, int maxdata, void** dsttags, int maxtags) {
  profBuf* log = cpuprof.log;
  if (log == nullptr) return {0, 0, true};
  profBuf::readResult r = log->read(dst, maxdata, dsttags, maxtags);
  if (!r.eof) return r;
  systemstack([] {
    lock(&cpuprof.lock);
    cpuprof.log = nullptr;
    unlock(&cpuprof.lock);
  });
  log->free();
  return r;
}

// Their addresses are all that matters; the asm keeps the compiler from merging them.
GORT_NOINLINE void _System() { asm volatile("nop # System"); }
GORT_NOINLINE void _ExternalCode() { asm volatile("nop # ExternalCode"); }
GORT_NOINLINE void _LostExternalCode() { asm volatile("nop # LostExternalCode"); }
GORT_NOINLINE void _GC() { asm volatile("nop # GC"); }
GORT_NOINLINE void _VDSO() { asm volatile("nop # VDSO"); }

}  // namespace gort::runtime
