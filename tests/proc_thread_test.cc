// Threads: LockOSThread, blocking system calls, the limit of threads. Behaviours of Go's
// proc_test.go and of testdata/testprog/lockosthread.go; names are those of Go's tests.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "tests/pipes.h"

using namespace gort;
using namespace gort::test;

namespace {

std::atomic<bool> stopped{false};

long tid() { return syscall::RawSyscall(SYS_gettid); }
bool tidExists(long t) { return syscall::RawSyscall(SYS_tgkill, syscall::Getpid(), t, 0) == 0; }

struct threadname {
  char s[16] = {};
  bool operator==(const threadname& o) const { return __builtin_memcmp(s, o.s, sizeof s) == 0; }
};
threadname getname() {
  threadname n;
  syscall::RawSyscall(SYS_prctl, PR_GET_NAME, reinterpret_cast<long>(n.s));
  return n;
}

const Env oneP{{"GOMAXPROCS", "1"}};

}  // namespace

GORT_TEST("TestLockOSThreadNesting") {
  auto done = make_chan<bool>();
  go([=] {
    auto counts = [](unsigned ext) {
      runtime::g* gp = runtime::getg();
      return gp->m->lockedExt == ext && gp->m->lockedInt == 0 &&
             (gp->lockedm != nullptr) == (ext != 0);
    };
    CHECK_GO(counts(0));
    runtime::LockOSThread();
    runtime::LockOSThread();
    runtime::UnlockOSThread();
    CHECK_GO(counts(1));
    runtime::UnlockOSThread();
    CHECK_GO(counts(0));
    runtime::UnlockOSThread();  // one too many does nothing
    CHECK_GO(counts(0));
    done.send(true);
  });
  done.recv();
}

// A goroutine that ends locked to the main thread parks that thread for good.
TEST_CASE("TestLockOSThreadExit (LockOSThreadMain)") {
  Result r = run_go(
      [] {
        long mainTID = syscall::Getpid();
        CHECK_GO(tid() == mainTID);
        auto ready = make_chan<bool>(1);
        go([=] {
          runtime::LockOSThread();
          CHECK_GO(tid() == mainTID);
          ready.send(true);
        });
        ready.recv();
        while (runtime::NumGoroutine() > 1) runtime::Gosched();
        for (int i = 0; i < 100; i++) {
          CHECK_GO(tid() != mainTID);
          runtime::Gosched();
        }
      },
      oneP);
  CHECK_MESSAGE(r.status == 0, r.str());
}

// A goroutine that ends locked to another thread ends that thread. Not the main thread, which parks:
// if it was that one, the next goroutine gets another.
GORT_TEST("TestLockOSThreadExit (LockOSThreadAlt)") {
  runtime::LockOSThread();
  auto ready = make_chan<long>(1);
  long subTID;
  do {
    go([=] {
      runtime::LockOSThread();
      ready.send(tid());
    });
    subTID = ready.recv();
    CHECK_GO(subTID != tid());
  } while (subTID == syscall::Getpid());
  runtime::UnlockOSThread();
  while (tidExists(subTID)) {
    runtime::Gosched();
    CHECK_GO(tid() != subTID);
  }
}

// The state of a thread that a goroutine was locked to shows in no other goroutine, neither because
// the thread is used again nor because new threads are cloned from it. Go's test uses the working
// directory; a thread's name is inherited in the same way.
GORT_TEST("TestLockOSThreadAvoidsStatePropagation") {
  runtime::LockOSThread();
  threadname clean = getname();
  auto ready = make_chan<bool>(1);
  go([=] {
    runtime::LockOSThread();
    const char tainted[16] = "tainted";
    syscall::RawSyscall(SYS_prctl, PR_SET_NAME, reinterpret_cast<long>(tainted));
    CHECK_GO(!(getname() == clean));
    ready.send(true);
  });
  ready.recv();
  auto names = make_chan<threadname>();
  auto hold = make_chan<bool>();
  constexpr int n = 8;  // threads, all at the same time
  for (int i = 0; i < n; i++)
    go([=] {
      runtime::LockOSThread();
      names.send(getname());
      hold.recv();
      runtime::UnlockOSThread();
    });
  for (int i = 0; i < n; i++) CHECK_GO(names.recv() == clean);
  hold.close();
  runtime::UnlockOSThread();
}

// Many goroutines make the first call of LockOSThread, which starts the template thread, at the same
// time, and need threads at once.
GORT_TEST("TestLockOSThreadTemplateThreadRace") {
  constexpr int n = 20;
  auto start = make_chan<bool>();
  auto done = make_chan<long>();
  for (int i = 0; i < n; i++)
    go([=] {
      start.recv();
      runtime::LockOSThread();
      long mine = tid();
      runtime::Gosched();
      CHECK_GO(tid() == mine);
      done.send(mine);
      runtime::UnlockOSThread();
    });
  start.close();
  for (int i = 0; i < n; i++) CHECK_GO(done.recv() > 0);
}

// Goroutines in short system calls are preempted like others.
GORT_TEST("TestPreemptionAfterSyscall") {
  runtime::GOMAXPROCS(2);
  for (int us : {10, 100, 1000}) {
    constexpr int n = 8;
    auto c = make_chan<bool>(n);
    stopped = false;
    for (int i = 0; i < n; i++)
      go([=] {
        c.send(true);
        while (!stopped)
          runtime::cgocall([=] {
            for (auto start = runtime::nanotime(); runtime::nanotime() - start < us * 1000;) {
            }
          });
        c.send(true);
      });
    for (int i = 0; i < n; i++) c.recv();
    stopped = true;
    for (int i = 0; i < n; i++) c.recv();
  }
}

// With one P: every reader blocks its thread, and main goes on because the P is taken from it.
GORT_TEST("blocking reads give up the P", Env{{"GOMAXPROCS", "1"}}) {
  constexpr int n = 20;
  auto got = make_chan<int>();
  auto started = make_chan<bool>();
  pipefds p[n];
  for (int i = 0; i < n; i++) {
    p[i] = makepipe();
    int fd = p[i].r;
    go([=] {
      started.send(true);
      got.send(readbyte(fd) * 1000 + i);
    });
  }
  for (int i = 0; i < n; i++) started.recv();
  for (int i = n - 1; i >= 0; i--) {
    writebyte(p[i].w, 100 + i);
    CHECK_GO(got.recv() == (100 + i) * 1000 + i);
  }
}

// All come back from the kernel at the same time and find no P: they queue up.
GORT_TEST("many threads return from the kernel at once") {
  constexpr int n = 30;
  auto got = make_chan<int>(n);
  auto started = make_chan<bool>();
  pipefds p = makepipe();
  for (int i = 0; i < n; i++)
    go([=] {
      started.send(true);
      got.send(readbyte(p.r));
    });
  for (int i = 0; i < n; i++) started.recv();
  unsigned char b[n];
  int want = 0, sum = 0;
  for (int i = 0; i < n; i++) want += b[i] = static_cast<unsigned char>(i);
  CHECK_GO(syscall::Syscall(SYS_write, p.w, reinterpret_cast<long>(b), n) == n);
  for (int i = 0; i < n; i++) sum += got.recv();
  CHECK_GO(sum == want);
}

// A stopped world does not wait for goroutines in the kernel, and holds them when they come back.
GORT_TEST("the world stops while goroutines are in the kernel") {
  auto got = make_chan<int>();
  pipefds p = makepipe();
  for (int i = 0; i < 4; i++) go([=] { got.send(readbyte(p.r)); });
  char buf[256];
  for (int i = 0; i < 50; i++) {
    CHECK_GO(runtime::Stack(buf, true) > 0);
    if (i % 10 == 9 && i < 40) {
      writebyte(p.w, i);
      CHECK_GO(got.recv() == i);
    }
  }
}

TEST_CASE("TestThreadExhaustion") {
  Result r = run_go([] {
    runtime::debug::SetMaxThreads(10);
    auto c = make_chan<int>();
    for (int i = 0; i < 100; i++) {
      go([=] {
        runtime::LockOSThread();
        c.send(0);
        select();
      });
      c.recv();
    }
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("runtime: program exceeds 10-thread limit\n"
                                  "fatal error: thread exhaustion"),
                r.str());
}

TEST_CASE("thread exhaustion by blocking system calls") {
  Result r = run_go([] {
    CHECK_GO(runtime::debug::SetMaxThreads(12) == 10000);
    pipefds p = makepipe();
    auto c = make_chan<int>();
    for (int i = 0; i < 100; i++) {
      go([=] {
        c.send(0);
        readbyte(p.r);
      });
      c.recv();
    }
    select();
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("runtime: program exceeds 12-thread limit\n"
                                  "fatal error: thread exhaustion"),
                r.str());
}

#if GORT_POINTS

namespace {

enum : int { idle, ready, asking, has, gone };
std::atomic<int> stage{idle};
std::atomic<runtime::m*> ending;
std::atomic<bool> endedEarly{false};

// Whoever is about to store a request to the thread's limit stays there until the thread has ended, or gives
// up waiting for that.
void holdRequest(runtime::Point p) {
  int want = asking;
  if (p != runtime::Point::preemptone_has_slot || !stage.compare_exchange_strong(want, has)) return;
  runtime::m* mp = ending;
  while (mp->stackguardslot.Load() != nullptr) {
  }
  for (int i = 0; i < 10000 && !endedEarly; i++) {
    endedEarly = mp->freeWait.Load() == runtime::freeMRef;
    runtime::osyield();
  }
  stage = gone;
}

}  // namespace

TEST_CASE("a thread ended, and its limit was written to afterwards") {
  Result r = run_child(
      [] {
        runtime::pointHook = holdRequest;
        Main(0, nullptr, [] {
          runtime::LockOSThread();  // here, on the thread that does not end
          go([] {
            runtime::LockOSThread();
            ending = runtime::getg()->m;
            stage = ready;
            while (stage != has) {
            }
            // And its thread ends with it.
          });
          while (stage != ready) runtime::Gosched();
          runtime::p* pp = ending.load()->p;
          stage = asking;
          runtime::systemstack([=] { runtime::preemptone(pp); });
          while (stage != gone) runtime::Gosched();
          CHECK_GO(!endedEarly);
        });
      },
      {{"GOMAXPROCS", "2"}, {"GODEBUG", "asyncpreemptoff=1"}});
  CHECK_MESSAGE(r.status == 0, r.str());
}

#endif
