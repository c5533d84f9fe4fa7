// Stopping one goroutine at a safe point. Ports preempt.go.
//
// A goroutine stops at a function entry, when newstack finds the request (a synchronous safe point),
// or at any instruction of the program's own code, when a signal finds it there (an asynchronous
// one): the handler makes it call gort_asyncPreempt (preempt_amd64.S).
//
// Invariants:
//  - suspendG returns with gp's _Gscan bit held by the caller (or with dead set): gp does not run and
//    its stack does not change until resumeG.
//  - A request made by suspendG (preemptStop) is withdrawn or honoured before suspendG returns.
//  - A goroutine at an asynchronous safe point has asyncSafePoint set. Its stack is scanned, with all
//    registers, and not moved: a value in the middle of a computation may be an address in disguise.
//  - The runtime is not stopped so, nor libraries: they rely on staying on their M, or hold locks. In
//    the program's own code the same is true in three places:
//     - a function's prologue and epilogue, where rbp is not yet, or no longer, its frame pointer;
//     - a store to collected memory, between the test whether the write barrier is on and the store
//       (mbarrier.h puts these places into the section gort_unsafepoints);
//     - where the stack has no room for what gort_asyncPreempt pushes.
#include <cpuid.h>

#include <algorithm>

#include "malloc.h"
#include "mheap.h"
#include "os_linux.h"
#include "panic_throw.h"
#include "point.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "signal_unix.h"
#include "stack.h"
#include "textrange.h"

extern "C" {
// What gort_asyncPreempt saves by xsave: the bits of XCR0 that goroutine code can use. 0: there is no
// xsave, and fxsave has to do.
std::uint32_t gort_vecmask;
[[noreturn]] void gort_asyncPreempt2(gort::runtime::g* gp);

// Offsets from themselves of the first and last byte of a place where a goroutine must not stop.
struct unsafepoint {
  std::int32_t begin;
  std::int32_t end;
};
extern const unsafepoint __start_gort_unsafepoints[] __attribute__((weak, visibility("hidden")));
extern const unsafepoint __stop_gort_unsafepoints[] __attribute__((weak, visibility("hidden")));
}

namespace gort::runtime {

namespace {

// Room below the stack pointer: what gort_asyncPreempt and gort_mcall push, 200 bytes, and some.
constexpr uintptr asyncPreemptStack = 256;

struct pcrange {
  uintptr begin;
  uintptr end;
};
// Places where goroutine code must not stop, by address. Constant after asyncpreemptinit.
struct {
  pcrange* ranges;
  uintptr n;
} unsafePoints;

GORT_INLINE bool inUnsafePoint(uintptr pc) {
  uintptr lo = 0, hi = unsafePoints.n;
  while (lo < hi) {
    uintptr mid = (lo + hi) / 2;
    if (pc >= unsafePoints.ranges[mid].end)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < unsafePoints.n && pc >= unsafePoints.ranges[lo].begin;
}

GORT_INLINE bool hasBytes(uintptr pc, const char* s, int n) {
  const char* p = reinterpret_cast<const char*>(pc);
  for (int i = 0; i < n; i++)
    if (p[i] != s[i]) return false;
  return true;
}

// True if the instruction at pc belongs to a prologue or an epilogue, as clang makes them: after the
// stack check, push %rbp and mov %rsp,%rbp; and what a check consists of. Too much is no harm.
GORT_INLINE bool atFrameEdge(uintptr pc) {
  constexpr char check[] = "\x64\x48\x3b\x24\x25\x70\0\0";  // cmp %fs:112,%rsp
  constexpr char check11[] = "\x64\x4c\x3b\x1c\x25\x70\0\0";  // cmp %fs:112,%r11
  auto op = static_cast<unsigned char>(*reinterpret_cast<const char*>(pc));
  if (op == 0x55 || op == 0x5d || op == 0xc3) return true;  // push %rbp, pop %rbp, ret
  if (hasBytes(pc, "\xc5\xf8\x77", 3)) return true;  // vzeroupper, which may stand before ret
  if (hasBytes(pc, "\x48\x89\xe5", 3)) return true;  // mov %rsp,%rbp
  if (hasBytes(pc, check, 8) || hasBytes(pc, check11, 8)) return true;
  if (hasBytes(pc - 9, check, 8) || hasBytes(pc - 9, check11, 8)) return true;  // its branch
  if (hasBytes(pc, "\x4c\x8d\x9c\x24", 4) || hasBytes(pc, "\x4c\x8d\x5c\x24", 4))
    return true;  // lea -N(%rsp),%r11
  if (op == 0xf9 || (op == 0x0f && hasBytes(pc - 1, "\xf9", 1))) return true;  // lld's stc; nop
  // mov $N,%r10d; mov $N,%r11d; call __morestack
  return (op == 0x41 && hasBytes(pc + 1, "\xba", 1)) ||
         (op == 0x41 && hasBytes(pc + 1, "\xbb", 1)) || hasBytes(pc - 6, "\x41\xbb", 2);
}

GORT_INLINE bool canPreemptMHere(m* mp) {
  return mp->locks == 0 && mp->mallocing == 0 && mp->preemptoff[0] == 0 && mp->p != nullptr &&
         mp->p->status.Load() == _Prunning;
}

// Bytes of a block for vector registers.
uintptr vecsize = 512;
mutex vecstateLock;  // leaf; protects vecstates
struct vecblock {
  vecblock* next;
}* vecstates;

}  // namespace

bool canPreemptM(m* mp) { return canPreemptMHere(mp); }

GORT_SIGNALSAFE bool wantAsyncPreempt(g* gp) {
  m* mp = gp->m;
  return (gp->preempt || (mp != nullptr && mp->p != nullptr && mp->p->preempt)) &&
         (gp->atomicstatus.Load() & ~_Gscan) == _Grunning;
}

GORT_SIGNALSAFE bool isAsyncSafePoint(g* gp, uintptr pc, uintptr sp) {
  m* mp = gp->m;
  // A system stack, or a moment at which gp's M is not known.
  if (mp == nullptr || gp != mp->curg) return false;
  if (!canPreemptMHere(mp)) return false;
  // In the middle of a switch to or from gp.
  if (sp < gp->stack.lo || sp >= gp->stack.hi || sp - gp->stack.lo < asyncPreemptStack)
    return false;
  return inGoroutineText(pc) && !atFrameEdge(pc) && !inUnsafePoint(pc);
}

// On g0: gp, stopped in gort_asyncPreempt, gives up the processor.
extern "C" void gort_asyncPreempt2(g* gp) {
  m* mp = getg()->m;
  gp->asyncSafePoint = true;
  // The registers are in the M's block.
  std::swap(gp->vecstate, mp->vecstate);
  if (mp->vecstate == nullptr) mp->vecstate = allocvecstate();
  POINT(asyncpreempt_stopped);
  if (gp->preemptStop) preemptPark(gp);
  gopreempt_m(gp);
}

void asyncpreemptinit() {
  lockInit(&vecstateLock, lockRankLeafRank);
  unsigned a, b, c, d;
  constexpr unsigned xsave = 1u << 26, osxsave = 1u << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) != 0 && (c & (xsave | osxsave)) == (xsave | osxsave)) {
    unsigned lo, hi;
    asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    // x87, SSE, AVX and AVX-512; not the tiles of AMX, nor protection keys, which are the thread's.
    gort_vecmask = lo & 0xe7;
    // The standard form has each part at an offset of its own.
    vecsize = 576;
    for (unsigned i = 2; i < 8; i++) {
      if ((gort_vecmask & (1u << i)) == 0) continue;
      __cpuid_count(0xd, i, a, b, c, d);
      if (vecsize < a + b) vecsize = a + b;
    }
  }
  vecsize = alignUp(vecsize, sys::CacheLineSize);

  uintptr n = static_cast<uintptr>(__stop_gort_unsafepoints - __start_gort_unsafepoints);
  if (n == 0) return;
  auto* r = static_cast<pcrange*>(persistentalloc(n * sizeof(pcrange), sizeof(uintptr)));
  for (uintptr i = 0; i < n; i++) {
    const unsafepoint& u = __start_gort_unsafepoints[i];
    r[i] = {reinterpret_cast<uintptr>(&u.begin) + static_cast<uintptr>(std::intptr_t(u.begin)),
            reinterpret_cast<uintptr>(&u.end) + static_cast<uintptr>(std::intptr_t(u.end))};
  }
  std::sort(r, r + n, [](const pcrange& x, const pcrange& y) { return x.begin < y.begin; });
  unsafePoints = {r, n};
}

uintptr vecstatesize() { return vecsize; }

void* allocvecstate() {
  vecblock* b = nullptr;
  systemstack([&] {
    lock(&vecstateLock);
    b = vecstates;
    if (b != nullptr) vecstates = b->next;
    unlock(&vecstateLock);
  });
  // A used one serves as it is: xsave writes everything but zeros of the header, which stay.
  return b != nullptr ? b : persistentalloc(vecsize, sys::CacheLineSize);
}

void freevecstate(void* p) {
  systemstack([&] {
    auto* b = static_cast<vecblock*>(p);
    lock(&vecstateLock);
    b->next = vecstates;
    vecstates = b;
    unlock(&vecstateLock);
  });
}

namespace {

// While it lives others can see that mp waits for gp: see m.waitinggoroutine.
struct suspendWait {
#if GORT_POINTS
  GORT_INLINE suspendWait(m* mp, g* gp) : mp_(mp) {
    mp->waitingfp = reinterpret_cast<uintptr>(__builtin_frame_address(0));
    mp->waits = mp->waits + 1;
    mp->waitinggoroutine = gp;
  }
  GORT_INLINE ~suspendWait() { mp_->waitinggoroutine = nullptr; }
  suspendWait(const suspendWait&) = delete;
  suspendWait& operator=(const suspendWait&) = delete;
  m* mp_;
#else
  GORT_INLINE suspendWait(m*, g*) {}
#endif
};

}  // namespace

suspendGState suspendG(g* gp) {
  m* mp = getg()->m;
  if (mp->curg != nullptr && readgstatus(mp->curg) == _Grunning) {
    // Two goroutines that suspend each other would deadlock: the caller must not be _Grunning.
    throw_("suspendG from non-preemptible goroutine");
  }
  suspendWait wait(mp, gp);
  POINT(suspendg_begin);
  constexpr std::int64_t yieldDelay = 10 * 1000;
  std::int64_t nextYield = 0;
  bool stopped = false, askAgain = false;
  // The last signal: to which M, and how many that M had had before.
  m* asyncM = nullptr;
  std::uint32_t asyncGen = 0;
  std::int64_t nextPreemptM = 0;
  for (int i = 0;; i++) {
    std::uint32_t s = readgstatus(gp);
    switch (s) {
      case _Gdead:
        return {gp, true, false};
      case _Gcopystack:
        break;  // wait until the copy is done
      case _Gpreempted:
        // It stopped itself for us or for another suspendG; whoever moves it owns it.
        if (!casGFromPreempted(gp, _Gpreempted, _Gwaiting)) break;
        stopped = true;
        s = _Gwaiting;
        [[fallthrough]];
      case _Grunnable:
      case _Gsyscall:
      case _Gwaiting:
        POINT(suspendg_before_cas);
        if (!castogscanstatus(gp, s, s | _Gscan)) break;
        // The bit is ours. Withdraw the request, which may still be pending.
        gp->preemptStop = false;
        gp->preempt = false;
        gp->stackguard0 = unaskedguard(gp);
        return {gp, false, stopped};
      case _Grunning:
        // Asked already, and the signal is on its way still?
        if (!askAgain && gp->preemptStop && gp->preempt && gp->stackguard0 == stackPreempt &&
            asyncM == gp->m && (asyncM == nullptr || asyncM->preemptGen.Load() == asyncGen))
          break;
        if (!castogscanstatus(gp, _Grunning, _Gscanrunning)) break;
        // With the bit held the goroutine cannot change status, nor its M.
        gp->preemptStop = true;
        gp->preempt = true;
        gp->stackguard0 = stackPreempt;
        {
          m* asyncM2 = gp->m;
          if (asyncM2 != nullptr)
            if (atomic::Uintptr* slot = asyncM2->stackguardslot.LoadRelaxed(); slot != nullptr)
              slot->StoreRelaxed(stackPreempt);
          std::uint32_t asyncGen2 = asyncM2 == nullptr ? 0 : asyncM2->preemptGen.Load();
          bool needAsync = asyncM != asyncM2 || asyncGen != asyncGen2;
          asyncM = asyncM2;
          asyncGen = asyncGen2;
          casfrom_Gscanstatus(gp, _Gscanrunning, _Grunning);
          askAgain = false;
          // After the status: the goroutine would spin on the bit in preemptPark.
          if (dbg.asyncpreemptoff == 0 && asyncM != nullptr && needAsync) {
            std::int64_t now = nanotime();
            if (now >= nextPreemptM) {
              nextPreemptM = now + yieldDelay / 2;
              preemptM(asyncM);
            }
          }
        }
        break;
      default:
        if ((s & _Gscan) != 0) break;  // somebody else has it
        dumpgstatus(gp);
        throw_("invalid g status");
    }
    if (i == 0) nextYield = nanotime() + yieldDelay;
    if (nanotime() < nextYield) {
      procyield(10);
    } else {
      osyield();
      // The store to the thread's own copy of the limit may have been lost to one of the thread.
      askAgain = true;
      nextYield = nanotime() + yieldDelay / 2;
    }
  }
}

void resumeG(suspendGState state) {
  if (state.dead) return;
  g* gp = state.g;
  std::uint32_t s = readgstatus(gp);
  switch (s) {
    case _Gscanrunnable:
    case _Gscanwaiting:
    case _Gscansyscall:
      casfrom_Gscanstatus(gp, s, s & ~_Gscan);
      break;
    default:
      dumpgstatus(gp);
      throw_("unexpected g status");
  }
  if (state.stopped) ready(gp, 0, true);  // it stopped itself: nobody else will wake it
}

}  // namespace gort::runtime
