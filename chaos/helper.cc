// Goroutine code: it runs on a goroutine's stack and is instrumented, other than the rest of
// chaos/.
#include "chaos/helper.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>

#include <span>

#include "runtime/extern.h"
#include "runtime/go.h"
#include "runtime/mgc.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "runtime/signal.h"
#include "runtime/stack.h"
#include "runtime/stubs.h"
#include "runtime/trace.h"

namespace gort::chaos {

namespace {

using runtime::g;
using runtime::m;
using runtime::p;

std::atomic<std::int64_t> granted[static_cast<int>(Request::kCount)];
std::atomic<bool> ready;
HelperOptions options;  // constant after StartHelper

// How long it sleeps before it looks for mDoFixup.
constexpr long kLookEvery = 10'000'000;  // ns

// On g0, without a P: rests, and then waits for a request.
void WaitOnG0(void*) {
  runtime::incidlelocked(1);
  if (options.pauseMicros > 0) runtime::usleep(static_cast<std::uint32_t>(options.pauseMicros));
  while (requested.load() == 0) {
    const timespec look = {0, kLookEvery};
    runtime::rawsyscall(SYS_futex, reinterpret_cast<long>(&requested), FUTEX_WAIT_PRIVATE, 0,
                        reinterpret_cast<long>(&look));
    runtime::mDoFixup();
  }
  runtime::incidlelocked(-1);
}

void Wait() {
  runtime::entersyscallblock();
  runtime::gort_systemstack(WaitOnG0, nullptr);
  runtime::exitsyscall();
}

// Shrinks the stack of gp, which is not running; one that is too small for that is copied to
// another of its size. Nobody else moves it: the caller has its scan bit.
void ShrinkOrMove(g* gp) {
  if (!runtime::isShrinkStackSafe(gp) || runtime::isGCWorker(gp)) return;
  const runtime::uintptr before = gp->stack.lo;
  runtime::shrinkstack(gp);
  if (gp->stack.lo == before) runtime::copystack(gp, gp->stack.hi - gp->stack.lo);
}

// On g0. Goroutines that are parked at this moment, and stay so as long as their scan bit is held.
// Not by suspendG: it waits for one that has begun to run, and outside of a mark phase that one may
// be waiting for this P.
void ShrinkAll(void*) {
  runtime::forEachGRace([](g* gp) {
    if (runtime::readgstatus(gp) != runtime::_Gwaiting ||
        !runtime::castogscanstatus(gp, runtime::_Gwaiting, runtime::_Gscanwaiting))
      return;
    ShrinkOrMove(gp);
    runtime::casfrom_Gscanstatus(gp, runtime::_Gscanwaiting, runtime::_Gwaiting);
  });
}

// On g0, with a P: so neither the number of Ps changes nor does the world stop.
void RetakeAll(void*) {
  for (std::int32_t i = 0; i < runtime::allp.len; i++) {
    p* pp = runtime::allp[i];
    if (pp->status.Load() != runtime::_Psyscall ||
        !pp->status.CompareAndSwap(runtime::_Psyscall, runtime::_Pidle))
      continue;
    if (runtime::traceEnabled()) {
      runtime::traceGoSysBlock(pp);
      runtime::traceProcStop(pp);
    }
    pp->syscalltick++;
    runtime::handoffp(pp);
  }
}

void Grant(Request r) {
  switch (r) {
    case Request::kCollect:
      runtime::GC();
      break;
    case Request::kStopWorld:
      runtime::stopTheWorld(runtime::stwReadMemStats);
      runtime::startTheWorld();
      break;
    case Request::kBarrier:
      runtime::semacquire(&runtime::worldsema);
      runtime::forEachP(runtime::waitReasonFlushProcCaches, [](p*) {});
      runtime::semrelease(&runtime::worldsema);
      break;
    case Request::kShrink:
      runtime::gort_systemstack(ShrinkAll, nullptr);
      break;
    case Request::kRetake:
      runtime::gort_systemstack(RetakeAll, nullptr);
      break;
    case Request::kCount:
      break;
  }
  granted[static_cast<int>(r)].fetch_add(1);
}

void HelperMain(void*) {
  // Nobody receives: what finds no room is dropped.
  if (options.catchHangup) os::signal::Notify(make_chan<os::Signal>(1), SIGHUP);
  ready = true;
  for (;;) {
    Wait();
    const std::uint32_t requests = requested.exchange(0);
    for (int r = 0; r < static_cast<int>(Request::kCount); r++)
      if ((requests & RequestBit(static_cast<Request>(r))) != 0) Grant(static_cast<Request>(r));
  }
}

}  // namespace

void StartHelper(const HelperOptions& o) {
  options = o;
  runtime::newprocargs a{};
  a.fn = HelperMain;
  a.startpc = reinterpret_cast<runtime::uintptr>(&HelperMain);
  a.systemg = true;
  runtime::newproc(a, a.startpc);
}

bool HelperReady() { return ready; }

std::int64_t Granted(Request request) { return granted[static_cast<int>(request)]; }

void CheckHeapAndStacks() {
  runtime::GC();
  runtime::GC();
  // It is the walk that counts, not the text.
  auto text = make_slice<char>(64 << 10);
  runtime::Stack(std::span<char>(text.data(), static_cast<std::size_t>(text.len())), true);
}

}  // namespace gort::chaos
