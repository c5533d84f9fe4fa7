// The storm of Go's issue 44193 as its test has it, with system calls on all threads in a loop: SIGHUP
// comes to the process all the time, traces start and stop, every thread makes a call, each of them
// unsynchronised with the others. All three stop the world or run in signal handlers.
//
// GORT_STORM_ROUNDS says how many calls a run makes, at least (100, with TSan 20); a tenth of that is how
// often a trace starts and stops. The target //tests:allthreads_storm makes 100 runs of 100 calls on each
// number of Ps.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/hostthread.h"

using namespace gort;
using namespace gort::test;
namespace trace = runtime::trace;

namespace {

int roundsAskedFor() {
  const char* s = std::getenv("GORT_STORM_ROUNDS");
  return s != nullptr ? std::atoi(s) : runtime::raceenabled ? 20 : 100;
}

}  // namespace

GORT_TEST("system calls on all threads, traces and SIGHUP") {
  static std::atomic<bool> end;
  end = false;
  auto c = make_chan<os::Signal>(1);
  os::signal::Notify(c, SIGHUP);
  auto done = make_chan<bool>();
  go([=] {
    while (!end) {
      syscall::Kill(syscall::Getpid(), SIGHUP);
      runtime::Gosched();
    }
    done.send(true);
  });
  HostThread sender([] {
    while (!end) {
      ::kill(::getpid(), SIGHUP);
      ::sched_yield();
    }
  });
  static std::int64_t received;
  received = 0;
  go([=] {
    for (os::Signal s : c) {
      CHECK_GO(s == SIGHUP);
      received++;
    }
    done.send(true);
  });
  static std::atomic<bool> traced;
  traced = false;
  const int rounds = roundsAskedFor();
  const int traces = (rounds + 9) / 10;
  go([=] {
    for (int i = 0; i < traces; i++) {
      CHECK_GO(!trace::Start([](const void*, size_t) { return true; }));
      trace::Stop();
    }
    traced = true;
    done.send(true);
  });
  int calls = 0;
  for (; calls < rounds || !traced; calls++) {
    runtime::LockOSThread();  // only the thread itself can ask for its KEEPCAPS
    CHECK_GO(syscall::AllThreadsSyscall(SYS_prctl, PR_SET_KEEPCAPS, calls % 2, 0) == 0);
    CHECK_GO(syscall::RawSyscall(SYS_prctl, PR_GET_KEEPCAPS) == calls % 2);
    runtime::UnlockOSThread();
  }
  end = true;
  sender.join();
  done.recv();  // the sender's, or the tracer's
  done.recv();
  // Stop returns when nothing is on its way any more, so that nobody sends on c when it is closed.
  os::signal::Stop(c);
  c.close();
  done.recv();
  CHECK_GO(received > 0);
  println("calls", calls, "traces", traces, "signals", received);
}
