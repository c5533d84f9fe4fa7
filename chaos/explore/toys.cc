// Programs whose bugs have a known depth: the number of places at which the order of two threads has
// to be just so. The argument says which.
//
//   order    depth 1: one goroutine's last step has to come after the other's, which has as many
//   patience depth 1: as order, but the late one has 400 steps less to go
//   update   depth 2: in the 60 steps between load and store of a counter come the other one's
//   relay    depth 3: one goroutine has to stop in a stretch of 100 steps, and then the other one, too
//   plain    depth 2, in ordinary memory: one goroutine's adding comes between another one's load and store
//   made     as update, and what lies between is an allocation
//   rare     as plain, but once only, in the middle of 3,000 steps
//   often    depth 2: one goroutine has to come between another one's steps 1, 65, 129 or so times, no other number
//   outlived depth 1: as order, but the program does not wait for the one that comes late
//   loop     no bug: one goroutine reads an ordinary word, without any step, until the other one has set it
//   endless  a loop without any step that does not end
//   clock    no bug: a loop that does nothing but look at the clock, for a millisecond
//   until    no bug: yields for 60 ms, which is 30,000 steps in one run, and three million in another
//   leaves   ends with a status that the explorer has for itself
//   lost     a fault in a goroutine that has lost its M
//   wanted   the same, while another goroutine asks that it be preempted, all the time
//   instep   no bug: one goroutine sets a word, clears it and yields, until another, which yields as well,
//            has seen it set
//   crowded  a thread cannot be made
//   held     no bug at all
//   alone    no bug: a million steps at which nobody else can go on
//   both     no bug: a thousand steps each of two goroutines, so that all are scheduling points
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "runtime/go.h"
#include "runtime/stubs.h"
#include "runtime/time.h"

using namespace gort;
using runtime::atomic::Uint32;

namespace {

Uint32 ready, filler, x, y;

// Both goroutines have a thread each from here on.
void meet() {
  ready.Add(1);
  while (ready.Load() < 2) runtime::procyield(30);
}

void steps(int n) {
  for (int i = 0; i < n; i++) filler.Load();
}

[[noreturn]] void found() { panic("toy: the bug has come up"); }

void order(int early, int late) {
  auto done = make_chan<int>(2);
  go([=] {
    meet();
    steps(early);
    x.Store(1);
    done.send(0);
  });
  go([=] {
    meet();
    steps(late);
    if (x.Load() == 1) found();
    done.send(0);
  });
  done.recv();
  done.recv();
}

template <class Between>
void updates(Between between) {
  auto done = make_chan<int>(2);
  for (int i = 0; i < 2; i++)
    go([=] {
      meet();
      steps(40);
      const std::uint32_t v = x.Load();
      between();
      x.Store(v + 1);
      steps(40);
      done.send(0);
    });
  done.recv();
  done.recv();
  if (x.Load() != 2) found();
}

void update() {
  updates([] { steps(60); });
}

void made() {
  updates([] { make_chan<int>(1); });
}

// The first goroutine says 1, and 2 if it has an answer by then; the second answers the 1, and must not
// hear the 2 by then. It begins when the program has come to rest, so that few wait for a turn already; the time
// is virtual where this is explored.
void relay() {
  time::Sleep(time::Millisecond);
  auto done = make_chan<int>(2);
  go([=] {
    meet();
    steps(20);
    x.Store(1);
    steps(100);
    if (y.Load() == 1) x.Store(2);
    done.send(0);
  });
  go([=] {
    meet();
    steps(20);
    if (x.Load() == 1) {
      y.Store(1);
      steps(100);
      if (x.Load() == 2) found();
    }
    done.send(0);
  });
  done.recv();
  done.recv();
}

int counter;

void plain() {
  constexpr int kTurns = 100;
  auto done = make_chan<int>(2);
  for (int i = 0; i < 2; i++)
    go([=] {
      meet();
      for (int j = 0; j < kTurns; j++) {
        steps(4);
        counter++;
      }
      done.send(0);
    });
  done.recv();
  done.recv();
  if (counter != 2 * kTurns) found();
}

void rare() {
  constexpr int kSteps = 1500;
  auto done = make_chan<int>(2);
  for (int i = 0; i < 2; i++)
    go([=] {
      meet();
      steps(i == 0 ? kSteps / 3 : kSteps);
      counter++;
      steps(i == 0 ? kSteps : kSteps / 3);
      done.send(0);
    });
  done.recv();
  done.recv();
  if (counter != 2) found();
}

void often() {
  constexpr int kTimes = 200;
  auto done = make_chan<int>(2);
  go([=] {
    meet();
    for (std::uint32_t i = 1; i <= kTimes; i++) {
      steps(4);
      x.Store(i);
      steps(4);
      x.Store(0);
    }
    done.send(0);
  });
  go([=] {
    meet();
    std::uint32_t times = 0, last = 0;
    for (int i = 0; i < 10 * kTimes; i++) {
      const std::uint32_t now = x.Load();
      if (now != 0 && now != last) times++;
      if (now != 0) last = now;
    }
    done.send(0);
    if (times % 64 == 1) found();
  });
  done.recv();
  done.recv();
}

// No step as the explorer counts them: std::atomic is the program's own.
std::atomic<int> go_on;

void loop() {
  auto done = make_chan<int>(1);
  go([=] {
    while (go_on == 0) continue;
    done.send(0);
  });
  runtime::Gosched();
  go_on = 1;
  done.recv();
}

void endless() {
  while (go_on == 0) continue;
}

void clockloop() {
  const auto start = time::Now();
  while (time::Since(start) < time::Millisecond) continue;
}

void until() {
  const auto start = time::Now();
  while (time::Since(start) < 60 * time::Millisecond) runtime::Gosched();
}

// With a status that means something else where the explorer itself ends a run.
void leaves() { std::_Exit(88); }

// As a goroutine that two Ms run.
[[gnu::noinline]] void lost() {
  runtime::getg()->m = nullptr;
  __builtin_trap();
}

void wanted() {
  runtime::LockOSThread();
  runtime::atomic::Uintptr* limit = runtime::getg()->m->stackguardslot.Load();
  go([=] {
    meet();
    for (;;) limit->StoreRelaxed(runtime::stackPreempt);
  });
  meet();
  lost();
}

// The kernel refuses to make one.
void crowded() {
  sock_filter refuse[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {std::size(refuse), refuse};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
    panic("toy: seccomp");
  for (int i = 0; i < 4; i++)
    go([] {
      runtime::LockOSThread();
      meet();
    });
  meet();
}

void instep() {
  auto done = make_chan<int>(2);
  go([=] {
    while (y.Load() == 0) {
      x.Store(1);
      steps(20);
      x.Store(0);
      runtime::Gosched();
    }
    done.send(0);
  });
  go([=] {
    while (x.Load() == 0) runtime::Gosched();
    y.Store(1);
    done.send(0);
  });
  done.recv();
  done.recv();
}

void outlived() {
  auto done = make_chan<int>(1);
  go([=] {
    meet();
    steps(40);
    x.Store(1);
    done.send(0);
  });
  go([] {
    meet();
    steps(40);
    if (x.Load() == 1) found();
  });
  done.recv();
}

void both() {
  auto done = make_chan<int>(2);
  for (int i = 0; i < 2; i++)
    go([=] {
      meet();
      steps(1000);
      done.send(0);
    });
  done.recv();
  done.recv();
}

}  // namespace

int main(int argc, char** argv) {
  const char* which = argc > 1 ? argv[1] : "";
  return gort::Main(argc, argv, [which] {
    if (std::strcmp(which, "order") == 0) order(40, 40);
    if (std::strcmp(which, "patience") == 0) order(400, 0);
    if (std::strcmp(which, "update") == 0) update();
    if (std::strcmp(which, "made") == 0) made();
    if (std::strcmp(which, "relay") == 0) relay();
    if (std::strcmp(which, "plain") == 0) plain();
    if (std::strcmp(which, "rare") == 0) rare();
    if (std::strcmp(which, "often") == 0) often();
    if (std::strcmp(which, "outlived") == 0) outlived();
    if (std::strcmp(which, "loop") == 0) loop();
    if (std::strcmp(which, "endless") == 0) endless();
    if (std::strcmp(which, "clock") == 0) clockloop();
    if (std::strcmp(which, "until") == 0) until();
    if (std::strcmp(which, "leaves") == 0) leaves();
    if (std::strcmp(which, "instep") == 0) instep();
    if (std::strcmp(which, "held") == 0) steps(40);
    if (std::strcmp(which, "alone") == 0) steps(1000000);
    if (std::strcmp(which, "both") == 0) both();
    if (std::strcmp(which, "lost") == 0) lost();
    if (std::strcmp(which, "wanted") == 0) wanted();
    if (std::strcmp(which, "crowded") == 0) crowded();
  });
}
