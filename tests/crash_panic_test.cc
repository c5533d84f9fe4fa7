// Panics that nobody recovers. The programs are those of Go's testdata/testprog, the names those of
// Go's crash_test.go. What recover does when the program goes on is in defer_test.cc.
#include <sys/syscall.h>

#include "tests/crash.h"

using namespace gort;
using namespace gort::test;

namespace {

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
