// Deadlocks, Goexit of main, go of nil. The programs are those of Go's testdata/testprog, the names
// those of Go's crash_test.go. Panics are in crash_panic_test.cc, the format of dumps in
// crash_dump_test.cc.
#include "tests/crash.h"

using namespace gort;
using namespace gort::test;

namespace {

const std::string deadlock = "fatal error: all goroutines are asleep - deadlock!\n";
const std::string goexitDeadlock =
    "fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n";

}  // namespace

TEST_CASE("TestSimpleDeadlock") {
  crashes([] { select(); }, deadlock + "\ngoroutine 1 [select (no cases)]:\nmain.");
}

TEST_CASE("TestLockedDeadlock") {
  crashes(
      [] {
        runtime::LockOSThread();
        select();
      },
      deadlock + "\ngoroutine 1 [select (no cases), locked to thread]:\nmain.");
}

TEST_CASE("TestLockedDeadlock2") {
  crashes(
      [] {
        go([] {
          runtime::LockOSThread();
          select();
        });
        time::Sleep(time::Millisecond);
        select();
      },
      deadlock);
}

TEST_CASE("TestGoexitDeadlock") {
  crashes(
      [] {
        for (int i = 0; i < 2; i++) go([] {});
        runtime::Goexit();
      },
      goexitDeadlock);
}

TEST_CASE("TestGoexitCrash") {
  crashes(
      [] {
        println("t1");
        go([] { time::Sleep(time::Millisecond); });
        println("t2");
        runtime::Goexit();
      },
      "t1\nt2\n" + goexitDeadlock);
}

TEST_CASE("deadlocks are found while others wait for locks") {
  crashes(
      [] {
        static sync::Mutex mu;
        static sync::WaitGroup wg;
        mu.Lock();
        wg.Add(1);
        go([] { mu.Lock(); });
        go([] { chan<int>{}.recv(); });
        go([] { chan<int>{}.send(1); });
        wg.Wait();
      },
      deadlock + "\ngoroutine 1 [semacquire]:\n");
}

TEST_CASE("TestGoNil") {
  crashes(
      [] {
        func([](auto& defer) {
          defer([] { recover(); });
          void (*volatile f)() = nullptr;
          void (*g)() = f;
          go(g);
          select();
        });
      },
      "fatal error: go of nil func value\n");
}

TEST_CASE("TestMainGoroutineID") {
  crashes([] { panic("test"); }, "panic: test\n\ngoroutine 1 [running]:\nmain.");
}

TEST_CASE("TestNoHelperGoroutines") {
  Result r = run_go([] {
    time::AfterFunc(time::Hour, [] {});
    panic("oops");
  });
  CHECK(r.status == 2);
  std::size_t first = r.err.find("\ngoroutine ");
  CHECK_MESSAGE(r.err.substr(first).starts_with("\ngoroutine 1 ["), r.str());
  CHECK_MESSAGE(r.err.find("\ngoroutine ", first + 1) == std::string::npos, r.str());
}

TEST_CASE("TestGoexitInPanic") {
  crashes(
      [] {
        go([] {
          func([](auto& defer) {
            defer([] { runtime::Goexit(); });
            panic("hello");
          });
        });
        runtime::Goexit();
      },
      goexitDeadlock);
}

TEST_CASE("TestPanicAfterGoexit") {
  crashes(
      [] {
        func([](auto& defer) {
          defer([] { panic("hello"); });
          runtime::Goexit();
        });
      },
      "panic: hello");
}

TEST_CASE("TestRecoveredPanicAfterGoexit") {
  crashes(
      [] {
        func([](auto& defer) {
          defer([] {
            func([](auto& defer) {
              defer([] {
                if (!recover()) panic("bad recover");
              });
              panic("hello");
            });
          });
          runtime::Goexit();
        });
      },
      goexitDeadlock);
}

TEST_CASE("TestRecoverBeforePanicAfterGoexit") {
  crashes(
      [] {
        func([](auto& defer) {
          for (int i = 0; i < 2; i++) defer([] {});
          defer([] {
            if (!recover()) panic("bad recover");
          });
          defer([] { panic("hello"); });
          runtime::Goexit();
        });
        panic("came back from Goexit");
      },
      goexitDeadlock);
}
