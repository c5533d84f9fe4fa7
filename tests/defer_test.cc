// defer, panic and recover in programs that go on. Behaviours of Go's defer_test.go and of the panic
// tests of crash_test.go that end well; names are those of Go's tests.
#include <array>
#include <string>
#include <vector>

#include "tests/harness.h"
#include "tests/stackmove.h"

using namespace gort;
using namespace gort::test;

namespace {

GORT_NOINLINE void testOpen(int arg) {
  func([&](auto& defer) {
    defer([](int n) { CHECK_GO(n == 4 && recover() == "testOpenDefer"); }, 4);
    if (arg > 2) panic("testOpenDefer");
  });
}

template <class F>
any panicValue(F f) {
  any recovered;
  func([&](auto& defer) {
    defer([&] { recovered = recover(); });
    f();
  });
  return recovered;
}

void interpreter(int level, int maxlevel, int rec) {
  func([&](auto& defer) {
    defer([&] {
      any e = recover();
      if (e && !(e == level)) panic(e);
    });
    if (level + 1 < maxlevel)
      interpreter(level + 1, maxlevel, rec);
    else
      panic(rec);
  });
}
// Writes over the frames that a stale record would lie in.
GORT_NOINLINE void recurseFn(int level, int maxlevel) {
  std::array<unsigned, 40> a;
  a.fill(0xffffffff);
  KEEP_FRAME(a);
  if (level + 1 < maxlevel)
    recurseFn(level + 1, maxlevel);
  else
    panic("recurseFn panic");
  KEEP_FRAME(a);
}

GORT_NOINLINE int deferHeapAndStack(int n) {
  if (n == 0) return 0;
  int r = 0;
  func([&](auto& defer) {
    for (int i = 0; i < 2; i++) defer([&] { r++; });
    r = deferHeapAndStack(n - 1);
  });
  return r;
}

struct steps {
  int n = 0;
  void step(int want) {
    n++;
    CHECK_GO(n == want);
  }
};

// Methods to be deferred.
struct recorder {
  virtual ~recorder() = default;
  std::string log;
  GORT_NOINLINE void add(const std::string& s) { log += s; }
  GORT_NOINLINE void addConst(std::string* to) const { *to += log; }
  GORT_NOINLINE virtual void addVirtual(char c) noexcept { log += c; }
  // recover is called by the deferred method itself here, by a function that it calls there.
  GORT_NOINLINE void recovers() { log += recover() ? "recovered;" : "nil;"; }
  GORT_NOINLINE void callsRecovers() {
    recovers();
    asm volatile("");
  }
};
struct loudRecorder : recorder {
  GORT_NOINLINE void addVirtual(char c) noexcept override { log += {c, c}; }
};

}  // namespace

GORT_TEST("a method can be deferred") {
  recorder local;
  loudRecorder loud;
  ptr<recorder> made = make<recorder>();
  std::string copied;
  func([&](auto& defer) {
    defer(&recorder::add, &local, "1;");
    defer(&recorder::recovers, &local);
    defer(&recorder::callsRecovers, &local);
    std::string text = "0;";
    defer(&recorder::add, &local, text);
    text = "not this";
    defer(&recorder::addVirtual, &loud, 'x');
    defer(&recorder::add, made, "made;");
    // A value is copied, as a Go value receiver is.
    recorder value;
    value.log = "value;";
    defer(&recorder::addConst, value, &copied);
    value.log = "not this";
    moveMyStack();
    panic("x");
  });
  CHECK_GO(local.log == "0;nil;recovered;1;");
  CHECK_GO(loud.log == "xx" && made->log == "made;" && copied == "value;");
}

GORT_TEST("TestUnconditionalPanic") {
  CHECK_GO(panicValue([] { panic("testUnconditional"); }) == "testUnconditional");
}

GORT_TEST("TestOpenAndNonOpenDefers") {
  func([](auto& defer) {
    for (int i = 0; i < 1; i++)
      defer([](int n) { CHECK_GO(n == 3 && recover() == "testNonOpenDefer"); }, 3);
    testOpen(47);
    panic("testNonOpenDefer");
  });
}

GORT_TEST("TestConditionalDefers") {
  std::vector<int> list;
  any r = panicValue([&] {
    func([&](auto& defer) {
      auto append = [&list](int i) { list.push_back(i); };
      defer(append, 1);
      for (int n : {6, 8, 9})
        if (n > 5 && n != 8) defer(append, n);
      panic("testConditional");
    });
  });
  CHECK_GO(r == "testConditional" && (list == std::vector<int>{9, 6, 1}));
}

GORT_TEST("TestAbortedPanic") {
  func([](auto& defer) {
    defer([] { CHECK_GO(!recover()); });
    defer([] { CHECK_GO(recover() == "panic2"); });
    defer([] { panic("panic2"); });
    panic("panic1");
  });
}

// recover works only in the function that the panic itself called.
GORT_TEST("TestRecoverMatching") {
  func([](auto& defer) {
    defer([] { CHECK_GO(recover() == "panic1"); });
    defer([] {
      func([](auto& defer) { defer([] { CHECK_GO(!recover()); }); });
      func([] { CHECK_GO(!recover()); });
    });
    panic("panic1");
  });
  CHECK_GO(!recover());
}

// Arguments are copied when defer is called, once.
GORT_TEST("TestNonSSAableArgs") {
  struct big {
    std::array<long, 16> v;
  };
  int made = 0;
  long saved = 0;
  func([&](auto& defer) {
    auto mk = [&] {
      made++;
      return big{{1, 2, 3, 4, 5}};
    };
    big b = mk();
    defer([&](const big& x, long y) { saved = x.v[4] + y; }, b, 10);
    b.v[4] = 99;
    useStack(20);
  });
  CHECK_GO(made == 1 && saved == 15);
}

GORT_TEST("TestDeferForFuncWithNoExit") {
  int cond = 1;
  func([&](auto& defer) {
    defer([&] { CHECK_GO(cond == 2 && recover() == "Test panic"); });
    useStack(40);
    moveMyStack();
    cond = 2;
    panic("Test panic");
  });
}

GORT_TEST("TestDeferWithRepeatedRepanics") {
  for (auto [max, rec] : {std::pair{6, 2}, {5, 1}, {6, 3}}) {
    interpreter(0, max, rec);
    CHECK_GO(panicValue([] { recurseFn(0, 10); }) == "recurseFn panic");
  }
}

GORT_TEST("TestIssue37688") {
  struct foo {
    int calls = 0;
    void method() { calls++; }
  };
  for (int j = 0; j < 10; j++) {
    foo a;
    long sum = 0;
    func([&](auto& defer) {
      for (int i = 0; i < 3; i++) defer([](foo* f) { f->method(); }, &a);
      func([&](auto& defer) {
        defer([](foo* f) { f->method(); }, &a);
        defer(
            [&](long p, long q, long r, long s, long t, long u, long v, long w) {
              CHECK_GO(recover());
              sum = p + q + r + s + t + u + v + w;
            },
            1, 2, 3, 4, 5, 6, 7, 8);
        panic("ff1 panic");
      });
      useStack(30);
    });
    CHECK_GO(a.calls == 4 && sum == 36);
  }
}

GORT_TEST("TestIssue43921") {
  any r = panicValue([] {
    func([](auto& defer) {
      defer([] {});
      defer([] { CHECK_GO(panicValue([] { panic(4); }) == 4); });
      panic(1);
    });
  });
  CHECK_GO(r == 1);
}

GORT_TEST("TestIssue43920") {
  steps s;
  func([&](auto& defer) {
    defer([] { CHECK_GO(recover() == 1); });
    defer([] {
      func([](auto& defer) {
        defer([] {
          func([](auto& defer) {
            defer([] { CHECK_GO(recover() == 5); });
            defer([] { panic(5); });
            func([] { panic(4); });
          });
        });
        defer([] { CHECK_GO(recover() == 3); });
        defer([] { panic(3); });
      });
    });
    func([&](auto& defer) {
      defer([&] { s.step(1); });
      panic(1);
    });
  });
  CHECK_GO(s.n == 1);
}

GORT_TEST("TestIssue43941") {
  steps s{7};
  func([&](auto& defer) {
    defer([&] {
      s.step(14);
      CHECK_GO(recover() == 4);
    });
    func([&](auto& defer) {
      func([](auto& defer) {
        defer([] {
          func([](auto& defer) {
            defer([] { CHECK_GO(recover() == 3); });
            defer([] { panic(3); });
            panic(2);
          });
        });
        defer([] { CHECK_GO(recover() == 1); });
        defer([] { panic(1); });
      });
      defer([&] { s.step(10); });
      defer([&] { s.step(9); });
      s.step(8);
    });
    func([&](auto& defer) {
      defer([&] { s.step(13); });
      defer([&] { s.step(12); });
      func([&](auto& defer) {
        defer([&] { s.step(11); });
        panic(4);
      });
      defer([] { panic(-1); });
    });
  });
  CHECK_GO(s.n == 14);
}

GORT_TEST("TestDeferHeapAndStack") {
  constexpr int P = 4, N = 50, D = 50;
  auto c = make_chan<bool>();
  for (int p = 0; p < P; p++)
    go([=] {
      for (int i = 0; i < N; i++) CHECK_GO(deferHeapAndStack(D) == 2 * D);
      c.send(true);
    });
  for (int p = 0; p < P; p++) c.recv();
}

GORT_TEST("TestGoexitDefer") {
  auto c = make_chan<bool>();
  go([=] {
    func([&](auto& defer) {
      defer([=] { c.send(bool(recover())); });
      runtime::Goexit();
    });
  });
  CHECK_GO(!c.recv());
}

// Panics of the runtime are runtime.Error, with Go's texts.
GORT_TEST("TestRuntimePanicWithRuntimeError") {
  struct {
    const char* text;
    void (*f)();
  } cases[] = {
      {"close of closed channel",
       [] {
         auto c = make_chan<int>();
         c.close();
         c.close();
       }},
      {"send on closed channel",
       [] {
         auto c = make_chan<int>();
         c.close();
         c.send(1);
       }},
      {"runtime error: index out of range [2] with length 2",
       [] {
         auto s = make<slice<int>>(2);
         (void)s[2];
       }},
      {"runtime error: slice bounds out of range [:3] with capacity 2",
       [] {
         auto s = make<slice<int>>(2);
         (void)s.sub(1, 3);
       }},
      {"runtime error: slice bounds out of range [2:1]",
       [] {
         auto s = make<slice<int>>(2);
         (void)s.sub(2, 1);
       }},
      {"makechan: size out of range", [] { make_chan<bool>(-1); }},
      {"makechan: size out of range", [] { make_chan<long>(std::int64_t(1) << 60); }},
      {"close of nil channel", [] { chan<bool>{}.close(); }},
      {"runtime error: integer divide by zero", [] { runtime::panicdivide(); }},
      {"panic called with nil argument", [] { panic(nullptr); }},
  };
  for (auto& c : cases) {
    any got = panicValue(c.f);
    println(got.Error(), std::string_view(c.text));
    CHECK_GO(got.isRuntimeError() && got.Error() == c.text);
  }
}

GORT_TEST("TestRuntimePanicWithRuntimeError: a negative WaitGroup counter") {
  CHECK_GO(panicValue([] {
             static sync::WaitGroup wg;
             wg.Done();
           }) == "sync: negative WaitGroup counter");
}

// A stack trace from a deferred call shows the frames that panicked.
GORT_TEST("TestPanicInlined") {
  struct point {
    GORT_NOINLINE static void negate() { panic("negate"); }
  };
  std::string trace(4096, 0);
  func([&](auto& defer) {
    defer([&] {
      CHECK_GO(recover());
      trace.resize(static_cast<std::size_t>(runtime::Stack(trace, false)));
    });
    point::negate();
  });
  CHECK_GO(trace.find(".(*point).negate(") != std::string::npos);
  CHECK_GO(trace.find("\npanic(") != std::string::npos);
}
