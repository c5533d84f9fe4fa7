// Programs that end badly: deadlocks, Goexit of main, unrecovered panics. The programs are those of
// Go's testdata/testprog, the names those of Go's crash_test.go. What recover does when the program
// goes on is in defer_test.cc, the format of dumps in crash_dump_test.cc.
#include <string>

#include <sys/syscall.h>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

const std::string deadlock = "fatal error: all goroutines are asleep - deadlock!\n";
const std::string goexitDeadlock =
    "fatal error: no goroutines (main called runtime.Goexit) - deadlock!\n";

// The program ends with status 2, having printed start first, on one P and on more.
template <class F>
void crashes(F f, const std::string& start) {
  for (int procs : {1, 4}) {
    Result r = run_go(f, {{"GOMAXPROCS", std::to_string(procs)}});
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.err.starts_with(start), r.str());
    CHECK_MESSAGE(!r.has("WARNING: ThreadSanitizer"), r.str());
  }
}

struct exampleError {
  std::string_view Error() const { panic("important error message"); }
};
struct exampleStringer {
  std::string_view String() const { panic("important stringer message"); }
};
struct examplePanicError {
  std::string_view Error() const { panic(exampleError{}); }
};
struct examplePanicStringer {
  std::string_view String() const { panic(exampleStringer{}); }
};
struct circleEnd;
struct circleStart {
  std::string_view Error() const;
};
struct circleEnd {
  std::string_view Error() const { panic(circleStart{}); }
};
std::string_view circleStart::Error() const { panic(circleEnd{}); }
struct panicError {
  std::string_view Error() const { panic("double error"); }
};
panicError thePanicError;

struct errorThatGosched {
  std::string_view Error() const {
    runtime::Gosched();
    return "errorThatGosched";
  }
};
struct errorThatPrints {
  std::string_view Error() const {
    for (const char* line : {"1\n", "2\n"})
      syscall::Syscall(SYS_write, 2, reinterpret_cast<long>(line), 2);
    return "3";
  }
};

GORT_NOINLINE void three() {
  func([](auto& defer) {
    defer([] {});
    defer([] { println(recover()); });
    defer([] {
      println(recover());
      panic("second panic");
    });
    panic("first panic");
  });
}
GORT_NOINLINE void two() {
  func([](auto& defer) {
    defer([] {});
    three();
  });
}

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

TEST_CASE("TestRecursivePanic") {
  crashes(
      [] {
        func([](auto& defer) {
          defer([] { println(recover()); });
          func([](auto& defer) {
            char x[8192];
            asm volatile("" : : "r"(x) : "memory");
            defer([] {
              if (any err = recover()) panic("wrap: " + std::string(err.Error()));
            });
            panic("bad");
          });
        });
        panic("again");
      },
      "wrap: bad\npanic: again\n\n");
}

TEST_CASE("TestRecursivePanic2") {
  crashes(
      [] {
        func([](auto& defer) {
          defer([] { println(recover()); });
          func([](auto& defer) {
            defer([] { panic("second panic"); });
            defer([] { println(recover()); });
            panic("first panic");
          });
        });
        panic("third panic");
      },
      "first panic\nsecond panic\npanic: third panic\n\n");
}

TEST_CASE("TestRecursivePanic3") {
  crashes(
      [] {
        func([](auto& defer) {
          defer([] {
            func([](auto& defer) {
              defer([] { recover(); });
              panic("second panic");
            });
          });
          panic("first panic");
        });
      },
      "panic: first panic\n\n");
}

TEST_CASE("TestRecursivePanic4") {
  crashes(
      [] {
        func([](auto& defer) {
          defer([] {
            recover();
            panic("second panic");
          });
          panic("first panic");
        });
      },
      "panic: first panic [recovered]\n\tpanic: second panic\n");
}

TEST_CASE("TestRecursivePanic5") {
  crashes(
      [] {
        two();
        panic("third panic");
      },
      "first panic\nsecond panic\npanic: third panic\n");
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

TEST_CASE("TestPanicDeadlockGosched") {
  crashes([] { panic(errorThatGosched{}); }, "panic: errorThatGosched\n\n");
}

TEST_CASE("TestPanicDeadlockSyscall") {
  crashes([] { panic(errorThatPrints{}); }, "1\n2\npanic: 3\n\n");
}

TEST_CASE("TestPanicLoop") {
  Result r = run_go([] { panic(&thePanicError); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("panic while printing panic value"), r.str());
}

TEST_CASE("TestPanicWhilePanicking") {
  struct {
    const char* want;
    void (*f)();
  } tests[] = {
      {"panic while printing panic value: important error message", [] { panic(exampleError{}); }},
      {"panic while printing panic value: important stringer message",
       [] { panic(exampleStringer{}); }},
      {"panic while printing panic value: type", [] { panic(examplePanicError{}); }},
      {"panic while printing panic value: type", [] { panic(examplePanicStringer{}); }},
      {"panic while printing panic value: type", [] { panic(circleStart{}); }},
      {"panic: important string message", [] { panic("important string message"); }},
      {"panic: panic called with nil argument", [] { panic(nullptr); }},
  };
  for (auto& t : tests) {
    Result r = run_go(t.f);
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.has(t.want), r.str());
  }
}

TEST_CASE("TestDoublePanic") {
  struct P {
    const char* s;
    std::string_view String() const { return s; }
  };
  Result r = run_go([] {
    func([](auto& defer) {
      defer([] { panic(P{"YYY"}); });
      panic(P{"XXX"});
    });
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("panic: XXX\n\tpanic: YYY\n"), r.str());
}

// main returns while another goroutine panics: the report is complete before the process ends. (Go's
// test, which is racy, wants it in one of ten tries.)
TEST_CASE("TestPanicRace") {
  int complete = 0;
  Result r;
  for (int i = 0; i < 10 && complete == 0; i++) {
    r = run_go([] {
      static sync::WaitGroup wg;
      wg.Add(1);
      go([] {
        func([](auto& defer) {
          defer([] {
            wg.Done();
            runtime::Gosched();
          });
          panic("crash");
        });
      });
      wg.Wait();
    });
    complete += r.status == 2 && r.has("panic: crash\n") && r.has("created by main.");
  }
  CHECK_MESSAGE(complete > 0, r.str());
}
