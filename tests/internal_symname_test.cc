// Linkers' names of functions and the names that tracebacks show for them (symname.cc). Mangled names
// are literals: what a compiler makes of the text behind them.
#include <string>

#include "runtime/symname.h"
#include "tests/harness.h"

namespace {

using gort::runtime::gosymname;

std::string name(const char* linkername) {
  auto s = gosymname(linkername);
  return std::string(s.data(), s.size());
}

struct Row {
  const char* mangled;
  const char* go;
};

}  // namespace

TEST_CASE("packages, functions, methods") {
  const Row rows[] = {
      // gort::runtime::gopark(bool (*)(void*, void*), void*, int)
      {"_ZN4gort7runtime6goparkEPFbPvS1_ES1_i", "runtime.gopark"},
      {"_ZN4gort7runtime6throw_EPKc", "runtime.throw"},
      {"_ZN4gort7runtime7printlnEv", "runtime.println"},
      {"_ZN4gort7runtime5debug10PrintStackEv", "runtime/debug.PrintStack"},
      {"_ZN4gort2os6signal6NotifyEi", "os/signal.Notify"},
      {"_ZN4gort7syscall6GetpidEv", "syscall.Getpid"},
      {"_ZN4gort4time5SleepEl", "time.Sleep"},
      {"_ZN4gort4time5Timer4StopEv", "time.(*Timer).Stop"},
      {"_ZN4gort4sync5Mutex4LockEv", "sync.(*Mutex).Lock"},
      {"_ZN4gort4sync7RWMutex5RLockEv", "sync.(*RWMutex).RLock"},
      {"_ZNK4gort4chanIiE4recvEv", "runtime.chan[...].recv"},  // gort::chan<int>::recv() const
      {"_Z6squareii", "main.square"},
      {"_ZN5Shape4growEi", "main.(*Shape).grow"},
      {"_ZNK5Shape4areaEv", "main.(*Shape).area"},
      {"_ZNK5shape4areaEv", "main.(*shape).area"},  // a const member: a class for certain
      {"_ZN5ShapeC2Ev", "main.(*Shape).Shape"},
      {"_ZN5ShapeD2Ev", "main.(*Shape).~Shape"},
      {"_ZNK5ShapeplERKS_", "main.(*Shape).operator+"},
      {"_ZN1a1b1fEi", "a/b.f"},
      {"_ZNK1a1b5Shape4areaEv", "a/b.(*Shape).area"},
      {"_ZN12_GLOBAL__N_16hiddenEv", "main.hidden"},  // (anonymous namespace)::hidden()
      {"_Z2tfIiEvT_", "main.tf[...]"},
      {"_Z2tfISt4pairIicEEvT_", "main.tf[...]"},
  };
  for (const Row& row : rows) CHECK_MESSAGE(name(row.mangled) == row.go, row.mangled);
}

TEST_CASE("lambdas") {
  const Row rows[] = {
      // In outer(): the first one, the second, and one inside the first.
      {"_ZZ5outervENKUlvE_clEv", "main.outer.func1"},
      {"_ZZ5outervENKUlvE0_clEv", "main.outer.func2"},
      {"_ZZ5outervENK3$_0clEi", "main.outer.func1"},
      {"_ZZ5outervENK3$_1clEv", "main.outer.func2"},
      {"_ZZZ5outervENK3$_0clEiENKUlvE_clEv", "main.outer.func1.1"},
      // In S2::m().
      {"_ZZN2S21mEvENKUlvE_clEv", "main.(*S2).m.func1"},
      {"_ZZ4mainENK3$_0clEv", "main.main.func1"},
      {"_ZZZ4mainENK3$_0clEvENKUlvE_clEv", "main.main.func1.1"},
      // At namespace scope.
      {"_ZNK3$_0clEi", "main.glob..func1"},
  };
  for (const Row& row : rows) CHECK_MESSAGE(name(row.mangled) == row.go, row.mangled);
}

TEST_CASE("names that are not mangled") {
  CHECK(name("main") == "main.main");
  CHECK(name("gort_gostart") == "runtime.goexit");
  CHECK(name("gort_mcall") == "runtime.mcall");
  CHECK(name("__morestack") == "runtime.morestack");
  CHECK(name("memcpy") == "memcpy");  // a C function: bare
  CHECK(name(nullptr) == "?");
}

TEST_CASE("whether a function has parameters") {
  CHECK(gosymname("_Z5outerv").noargs);
  CHECK(gosymname("_ZNK5Shape4areaEv").noargs);
  CHECK(!gosymname("_Z6squareii").noargs);
  CHECK(!gosymname("memcpy").noargs);
}

// Tracebacks read names in a process that is dying: any text is safe input. Every prefix of a name
// and every one with a byte changed is read to some end inside the buffer.
TEST_CASE("damaged names") {
  const std::string good[] = {"_ZZZ4mainENK3$_0clEvENKUlvE_clEv",
                              "_ZN4gort7runtime6goparkEPFbPvS1_ES1_i",
                              "_ZN9__gnu_cxx17__normal_iteratorIPKcNSt7__cxx1112basic_stringIcSt11"
                              "char_traitsIcESaIcEEEEC2ERKS2_",
                              "_Z2tfISt4pairIicEEvT_"};
  for (const std::string& g : good) {
    for (std::size_t n = 0; n <= g.size(); n++) {
      auto s = gosymname(g.substr(0, n).c_str());
      REQUIRE(s.size() <= sizeof s.buf);
    }
    for (std::size_t i = 0; i < g.size(); i++)
      for (char c : {'E', 'Z', 'N', 'I', '9', '0', 'S', '_', 'l', '\x7f'}) {
        std::string bad = g;
        bad[i] = c;
        auto s = gosymname(bad.c_str());
        REQUIRE(s.size() <= sizeof s.buf);
      }
  }
  // Longer than the buffer, deeper than the reader goes.
  std::string deep = "_ZN";
  for (int i = 0; i < 200; i++) deep += "3abc";
  deep += "1fEv";
  auto s = gosymname(deep.c_str());
  CHECK(s.size() <= sizeof s.buf);
  CHECK(s.size() > 0);
  std::string wide = "_Z1000" + std::string(1000, 'x') + "v";
  CHECK(name(wide.c_str()).rfind("main.xxx", 0) == 0);
}

// The lambda that Main runs is Go's main.main. It is chosen for the rest of the process.
TEST_CASE("the program's lambda") {
  gort::runtime::setMainName("Z4mainE3$_0");
  CHECK(name("_ZZ4mainENK3$_0clEv") == "main.main");
  CHECK(name("_ZZZ4mainENK3$_0clEvENKUlvE_clEv") == "main.main.func1");
  CHECK(name("_ZZ4mainENK3$_1clEv") == "main.main.func2");
}
