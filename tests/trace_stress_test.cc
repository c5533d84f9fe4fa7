// Tracing is started and stopped while everything goes on that writes events: Go's TestTraceStress and
// TestTraceStressStartStop. Go's tool checks each trace as it reads it: a goroutine that runs twice at
// once, or without being made runnable, or an event of a goroutine that it does not know, is an error.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "tests/gotrace.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;
namespace trace = runtime::trace;

namespace {

runtime::atomic::Bool stopLoad;

bool going() { return !stopLoad.Load(); }

int openTrace(const std::string& path) {
  int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  CHECK_GO(fd >= 0);
  return fd;
}

// Starts goroutines that do all sorts of things until stopLoad is set, when each calls Done.
void startLoad(sync::WaitGroup* wg) {
  auto run = [wg](auto f) {
    wg->Add(1);
    go([wg, f] {
      f();
      wg->Done();
    });
  };
  // A ring of channels; the token tells the end.
  auto ping = make_chan<bool>(), pong = make_chan<bool>();
  run([=] {
    bool more = true;
    while (more) {
      more = going();
      ping.send(more);
      pong.recv();
    }
  });
  run([=] {
    bool more = true;
    while (more) {
      more = ping.recv();
      pong.send(true);
    }
  });
  // Short and long system calls.
  run([] {
    while (going()) syscall::Syscall(SYS_getppid);
  });
  run([] {
    while (going()) {
      timespec t{0, 100 * 1000};
      syscall::Syscall(SYS_nanosleep, reinterpret_cast<long>(&t), 0);
    }
  });
  // On its own thread.
  run([] {
    runtime::LockOSThread();
    while (going()) {
      runtime::Gosched();
      syscall::Syscall(SYS_getppid);
    }
  });
  // Allocation, collections, finalizers.
  run([] {
    while (going()) {
      auto* p = make<int>(1);
      runtime::SetFinalizer(p, [](int*) {});
      make_slice<char>(32 << 10);
      runtime::Gosched();
    }
  });
  run([] {
    while (going()) {
      runtime::GC();
      time::Sleep(20 * time::Millisecond);
    }
  });
  // Timers, mutexes, selects, short goroutines.
  auto* mu = make<sync::Mutex>();
  for (int i = 0; i < 2; i++)
    run([mu] {
      while (going()) {
        mu->Lock();
        runtime::Gosched();
        mu->Unlock();
        time::Sleep(10 * time::Microsecond);
      }
    });
  run([] {
    while (going()) {
      auto c = make_chan<int>();
      go([c] { c.send(1); });
      int v = 0;
      select(recv_case(c, v), recv_case(time::After(time::Hour)));
    }
  });
  // Goroutines that end with their thread.
  run([] {
    while (going()) {
      auto c = make_chan<bool>();
      go([c] {
        runtime::LockOSThread();
        c.send(true);
      });
      c.recv();
      time::Sleep(time::Millisecond);
    }
  });
}

void changeProcs() {
  int procs = runtime::GOMAXPROCS(0);
  for (int i = 1; going(); i++) {
    runtime::GOMAXPROCS(1 + i % (2 * procs));
    time::Sleep(time::Millisecond);
  }
  runtime::GOMAXPROCS(procs);
}

}  // namespace

TEST_CASE("TestTraceStress") {
  traceEverywhere(
      "stress",
      [](const std::string& path) {
        auto* wg = make<sync::WaitGroup>();
        // What runs when tracing starts is in the trace, too.
        startLoad(wg);
        int fd = openTrace(path);
        CHECK_GO(!trace::Start(fd));
        startLoad(wg);
        go(changeProcs);
        time::Sleep(50 * time::Millisecond);
        // However little of the load has had its turn, this has.
        runtime::GC();
        syscall::Syscall(SYS_getppid);
        auto c = make_chan<bool>();
        go([c] { c.send(true); });
        c.recv();
        stopLoad.Store(true);
        wg->Wait();
        trace::Stop();
        ::close(fd);
      },
      [](const std::string& path, const std::string&) {
        Trace t = readTrace(path);
        CHECK(t.count("GoCreate") > 24);
        CHECK(t.count("GoSysCall") > 0);
        CHECK(t.count("GoBlockSend") + t.count("GoBlockRecv") > 0);
        CHECK(t.count("GCStart") > 0);
        CHECK(t.count("GCSTWDone") == t.count("GCSTWStart"));
      });
}

// More than a hundred traces with all numbers of Ps. Reading one takes Go's tool much longer than it took to write: some.
constexpr int kTraces = 40;
constexpr int kReadEvery = 8;

TEST_CASE("TestTraceStressStartStop") {
  traceEverywhere(
      "start and stop",
      [](const std::string& path) {
        auto* wg = make<sync::WaitGroup>();
        startLoad(wg);
        go(changeProcs);
        for (int i = 0; i < kTraces; i++) {
          int fd = openTrace(path + "." + std::to_string(i));
          CHECK_GO(!trace::Start(fd));
          // Some are short, some see a little.
          if (i % 2 == 0) time::Sleep(time::Millisecond);
          if (i % 3 == 0) runtime::Gosched();
          trace::Stop();
          ::close(fd);
        }
        stopLoad.Store(true);
        wg->Wait();
      },
      [](const std::string& path, const std::string&) {
        for (int i = 0; i < kTraces; i++) {
          std::string one = path + "." + std::to_string(i);
          if (i % kReadEvery == 0) {
            Trace t = readTrace(one);
            CHECK(t.count("GoCreate") > 10);
          }
          unlink(one.c_str());
        }
      });
}

GORT_TEST("Start and Stop from many goroutines") {
  // Whoever gets in starts or stops: never two traces at once, and Stop of another's trace is as good.
  auto* wg = make<sync::WaitGroup>();
  auto* started = make<runtime::atomic::Int64>();
  for (int i = 0; i < 4; i++) {
    wg->Add(1);
    go([=] {
      for (int k = 0; k < 20; k++) {
        if (!trace::Start([](const void*, size_t) { return true; })) started->Add(1);
        runtime::Gosched();
        trace::Stop();
      }
      wg->Done();
    });
  }
  wg->Wait();
  CHECK_GO(started->Load() > 0);
  CHECK_GO(!trace::IsEnabled());
}
