#include "panic.h"

#include "error.h"
#include "godefer.h"
#include "panic_throw.h"
#include "print.h"
#include "proc.h"
#include "runtime1.h"
#include "stubs.h"
#include "tsan.h"

namespace gort::runtime {

atomic::Uint32 runningPanicDefers;
atomic::Uint32 panicking;
mutex paniclk;

namespace {

[[noreturn]] void badpanic(const any& e, const char* why, const char* reason = nullptr) {
  print("panic: ");
  printany(e);
  print("\n");
  if (reason != nullptr) print("preempt off reason: ", reason, "\n");
  throw_(why);
}

bool isset(const char* s) { return s != nullptr && *s != 0; }

// Cuts off everything inside the frame of the deferred call that recovered p, or, if a Goexit lies
// in between, everything inside that, and continues there. Ports recovery.
[[noreturn]] __attribute__((disable_sanitizer_instrumentation)) void recovery(g* gp, _panic* p) {
  deferframe* target = p->frame;
  for (; p != nullptr && reinterpret_cast<uintptr>(p) < reinterpret_cast<uintptr>(target);
       p = p->link) {
    if (p->goexit) {
      target = &p->self;
      break;
    }
    runningPanicDefers.Add(-1u);
  }
  gp->_panic = p;
  gp->deferframe_ = target;
  gp->sig = 0;  // if it was a signal, that is over
  uintptr sp = target->sp;
  if (sp < gp->stack.lo || gp->stack.hi < sp) {
    print("recover: ", hex(sp), " not in [", hex(gp->stack.lo), ", ", hex(gp->stack.hi), "]\n");
    throw_("bad recovery");
  }
  raceSetShadowPos(target->raceshadow);
  gort_recoverframe(target);
}

// Calls Error and String of all panic values, while user code can still run: after the world is
// frozen it is too late.
void preprintpanics(_panic* p) {
  func([&](auto& defer) {
    defer([] {
      any r = recover();
      if (!r) return;
      constexpr std::string_view text = "panic while printing panic value: ";
      if (const auto* s = r.as<std::string_view>()) throw_(concatstrings(text, *s).data());
      char buf[128];
      uintptr n = gotypename(r.type()->cxxname, buf, sizeof buf);
      throw_(concatstrings(concatstrings(text, "type "), {buf, n}).data());
    });
    for (; p != nullptr; p = p->link) anytotext(&p->arg);
  });
}

// The deferred calls of one frame, after its body returned or was recovered.
void deferreturn(void* arg) {
  auto* frame = static_cast<deferframe*>(arg);
  g* gp = getg();
  while (_defer* d = nextdefer(gp, frame)) {
    // No panic's argp: a recover in there is not for an outer panic.
    uintptr argp;
    gort_calldefer(d->fn, d->arg, &argp);
    popdefer(gp);
  }
}

void goexitloop(void*) {
  g* gp = getg();
  while (_defer* d = nextdefer(gp, nullptr)) {
    uintptr argp;
    gort_calldefer(d->fn, d->arg, &argp);
    popdefer(gp);
  }
}

PanicNilError panicNilError;

}  // namespace

void rundeferframe(deferframe* frame, void (*body)(void*), void* arg) {
  g* gp = getg();
  frame->link = gp->deferframe_;
  gp->deferframe_ = frame;
  frame->raceshadow = raceShadowPos();
  gort_callframe(body, arg, frame);
  // A recovery may leave deferred calls of this frame, and those may panic and recover again.
  while (gp->_defer != nullptr && gp->_defer->frame == frame)
    gort_callframe(deferreturn, frame, frame);
  gp->deferframe_ = frame->link;
}

void gopanic(any e) {
  if (!e && dbg.panicnil != 1) e = any(&panicNilError);

  g* gp = getg();
  m* mp = gp->m;
  if (mp->curg != gp) badpanic(e, "panic on system stack");
  if (mp->mallocing != 0) badpanic(e, "panic during malloc");
  if (isset(mp->preemptoff)) badpanic(e, "panic during preemptoff", mp->preemptoff);
  if (mp->locks != 0) badpanic(e, "panic holding locks");

  _panic p{};
  p.arg = e;
  p.link = gp->_panic;
  gp->_panic = &p;
  runningPanicDefers.Add(1);

  while (_defer* d = nextdefer(gp, nullptr)) {
    p.frame = d->frame;
    p.wrapped = d->wrapped;
    gort_calldefer(d->fn, d->arg, &p.argp);
    p.argp = 0;
    popdefer(gp);
    if (gp->_panic != &p) throw_("bad panic stack");
    if (p.recovered) recovery(gp, &p);
  }

  preprintpanics(&p);
  fatalpanic(&p);
}

void Goexit() {
  g* gp = getg();
  _panic p{};
  p.goexit = true;
  p.link = gp->_panic;
  p.self.link = gp->deferframe_;
  gp->_panic = &p;
  gp->deferframe_ = &p.self;
  p.self.raceshadow = raceShadowPos();
  // Not 0: a panic inside was recovered in a frame further out than this one. That frame must not
  // go on; its other deferred calls are the next ones on the list.
  while (gort_callframe(goexitloop, nullptr, &p.self) != 0) {
  }
  goexit1();
}

bool canpanic() {
  g* gp = getg();
  m* mp = gp->m;
  if (gp != mp->curg) return false;
  if (mp->locks != 0 || mp->mallocing != 0 || mp->throwing != throwTypeNone ||
      isset(mp->preemptoff) || mp->dying != 0)
    return false;
  return (readgstatus(gp) & ~_Gscan) == _Grunning && gp->syscallsp == 0;
}

}  // namespace gort::runtime

namespace gort {

// The frame above this one is the deferred function's if its return address stands just below
// argp; if the compiler turned the call into a jump after all, this one's does.
GORT_NOINLINE any recover() {
  using runtime::uintptr;
  runtime::g* gp = runtime::getg();
  runtime::_panic* p = gp->_panic;
  if (p == nullptr || p->goexit || p->recovered || p->argp == 0) return {};
  auto* fp = static_cast<uintptr*>(__builtin_frame_address(0));
  auto* callerfp = reinterpret_cast<uintptr*>(*fp);
  constexpr uintptr linkage = 2 * runtime::sys::PtrSize;
  bool direct = reinterpret_cast<uintptr>(fp) + linkage == p->argp ||
                reinterpret_cast<uintptr>(callerfp) + linkage == p->argp ||
                (p->wrapped && *callerfp + linkage == p->argp);
  if (!direct) return {};
  p->recovered = true;
  return p->arg;
}

}  // namespace gort
