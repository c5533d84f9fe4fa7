// Deferred calls, panics and recovery. Ports panic.go and the _defer and _panic types of
// runtime2.go; what programs write is in godefer.h.
//
// How it works: func(body) calls body through gort_callframe, which leaves on the stack all that is
// needed to return from it early. defer puts a record for the call on g._defer. When body returns,
// func runs the records of its own frame; when somebody panics, gopanic runs the records of all
// frames, innermost first, on top of the panicking frames, and if one of them recovered, returns
// early to that record's frame, where func runs what is left and returns to its caller.
//
// Invariants:
//  - g._defer is sorted by frame, innermost (lowest address) first; within a frame the latest call
//    comes first. Records live in the heap; their closures hold addresses in the stack, so a stack
//    copy adjusts every word of every record on the list (adjustdefers).
//  - A record whose call is running stays at the place where it is, marked started, so that its
//    closure is adjusted too. If a panic or Goexit comes by it again, the call was cut short: the
//    record is dropped without a second call.
//  - g._panic links the panics (and Goexits) that have not ended, innermost first. The records are on
//    the goroutine's stack, at lower addresses the further in they are.
//  - g.deferframe_ links the func frames that have not returned, in the same way.
//  - A recovery leaves nothing on g._defer, g._panic and g.deferframe_ that lies in the frames which
//    it cuts off. A Goexit among them is not cut off: its loop goes on instead.
//
// Locks: the records' free lists are per P, and sched.deferpool under sched.deferlock. Everything
// else belongs to the goroutine.
#pragma once

#include "any.h"
#include "lock_futex.h"
#include "runtime2.h"

namespace gort::runtime {

// The part of a func frame that the runtime knows: a variable of func, on the goroutine's stack.
// Called as a function, it defers (godefer.h).
struct deferframe {
  uintptr sp;  // of the gort_callframe that runs now; first, for panic_amd64.S
  deferframe* link;  // enclosing frame of this goroutine
  uintptr raceshadow;  // TSan's shadow-stack position at that gort_callframe

  template <class F, class... A>
  void operator()(F&& f, A&&... args);
};

struct _defer {
  _defer* link;  // next on g._defer or on a free list
  deferframe* frame;  // that the call belongs to
  void (*fn)(void*);  // makes the call; null until arg is complete
  void (*destroy)(void*);  // ends the closure's life, null when there is nothing to do
  void* arg;  // the closure: inl, or a block of size bytes
  std::uint32_t size;  // bytes of the closure's storage
  bool started;
  bool wrapped;  // fn calls the deferred function rather than having it inlined
  alignas(16) std::byte inl[48];
};
static_assert(sizeof(_defer) == 96);

struct _panic {
  uintptr argp;  // where recover must be called from: above the running deferred call's return
      // address; 0 while none runs
  any arg;  // argument of panic
  _panic* link;  // earlier panic
  deferframe* frame;  // of the deferred call that runs or ran last
  bool wrapped;  // that call's record is
  bool recovered;
  bool goexit;  // not a panic but a Goexit
  deferframe self;  // goexit: where its loop continues
};

// Number of panics whose deferred calls are running; main waits a little for them before it ends the
// process, so that a panic can still be printed.
extern atomic::Uint32 runningPanicDefers;
// Number of Ms that print an unrecovered panic or a throw; main does not end the process then.
extern atomic::Uint32 panicking;
// Held while such a report is printed. Has no rank.
extern mutex paniclk;

// The panic statement. Panic values: any.h. (nomerge: each statement keeps its own line in
// tracebacks.)
[[noreturn, clang::nomerge]] void gopanic(any e);
// Ends the calling goroutine after its deferred calls have run.
[[noreturn]] void Goexit();

// Runs body(arg) in frame, then frame's deferred calls.
void rundeferframe(deferframe* frame, void (*body)(void*), void* arg);
// A new record at its place on g._defer, with size bytes for the closure at arg. It does nothing
// until the caller has built the closure there and set fn. Throws on a system stack and when frame
// is not an active frame of this goroutine.
_defer* deferproc(deferframe* frame, uintptr size);

// Takes the record of the next deferred call to make, marks it started and leaves it on the list;
// with only, the next one of that frame. Drops those that were cut short. Null at the end.
_defer* nextdefer(g* gp, deferframe* only);
// Ends the life of gp's first record.
void popdefer(g* gp);

// For copystack: add delta to every word in [lo, hi) that gp's deferred calls, and then its panics,
// keep outside the stack. gp does not run.
void adjustdefers(g* gp, uintptr lo, uintptr hi, uintptr delta);
void adjustpanics(g* gp, uintptr lo, uintptr hi, uintptr delta);

// Whether a signal that hit gp, the current g, may become a panic there. Ports canpanic.
bool canpanic();

// ---- panic_fatal.cc ----
void printpanics(_panic* p);
[[noreturn]] void fatalpanic(_panic* msgs);
// A signal is going to end the process: stops the others, counts this M as failing.
void startpanicFromSignal();

extern "C" {
int gort_callframe(void (*fn)(void*), void* arg, deferframe* frame);
[[noreturn]] void gort_recoverframe(deferframe* frame);
void gort_calldefer(void (*fn)(void*), void* arg, uintptr* argp);
}

}  // namespace gort::runtime

namespace gort {

// The value of the panic that the goroutine is in, which ends with this call; nil if there is none.
// Go's rule is that the deferred function itself must make the call. The check compares stack
// frames, so a helper that calls recover counts as part of the deferred function when the compiler
// inlined it there or made its call the last jump; one that has a frame of its own gets nil, as does
// the body of a nested func.
[[clang::not_tail_called]] GORT_NOINLINE any recover();

}  // namespace gort
