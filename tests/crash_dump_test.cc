// What a crash prints: the format of Go's tracebacks, checked line by line, GOTRACEBACK, and the
// texts of fatal errors. Tools that read Go's crash output must be able to read ours.
#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <signal.h>
#include <sys/resource.h>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

const std::regex header(
    R"(goroutine (\d+) \[([A-Za-z.() ]+)(, \d+ minutes)?(, locked to thread)?\]:)");
const std::regex function(R"([A-Za-z_]\S*\((\.\.\.)?\))");
const std::regex position(
    R"(\t\S+:\d+( \+0x[0-9a-f]+)?( fp=0x[0-9a-f]+ sp=0x[0-9a-f]+ pc=0x[0-9a-f]+)?)");
const std::regex createdBy(R"(created by \S+ in goroutine \d+)");

struct goroutine {
  int id = 0;
  std::string state;
  bool locked = false;
  std::vector<std::string> functions;  // innermost first
  std::string creator;  // «created by» line, "" for goroutine 1
};

// The goroutines of a dump, or the first line that is not in Go's format as a failed check.
std::vector<goroutine> parse(const std::string& text) {
  std::vector<goroutine> all;
  enum { outside, wantFunction, wantPosition, wantLast } state = outside;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string line = text.substr(at, end - at);
    at = end + 1;
    std::smatch m;
    bool ok = true;
    switch (state) {
      case outside:
        if (!std::regex_match(line, m, header)) break;
        all.push_back({std::stoi(m[1]), m[2], m[4].matched, {}, ""});
        state = wantFunction;
        break;
      case wantFunction:
        if (line.empty() && !all.back().functions.empty()) {
          state = outside;
        } else if (std::regex_match(line, createdBy)) {
          all.back().creator = line;
          state = wantLast;
        } else if (std::regex_match(line, function)) {
          all.back().functions.push_back(line.substr(0, line.rfind('(')));
          state = wantPosition;
        } else {
          ok = line == "\tgoroutine running on other thread; stack unavailable";
          all.back().functions.emplace_back();
        }
        break;
      case wantPosition:
        ok = std::regex_match(line, position);
        state = wantFunction;
        break;
      case wantLast:
        ok = std::regex_match(line, position);
        state = outside;
        break;
    }
    CHECK_MESSAGE(ok, "not Go's format: «" << line << "» in\n" << text);
    if (!ok) return all;
  }
  return all;
}

const goroutine* find(const std::vector<goroutine>& all, const std::string& state) {
  for (auto& g : all)
    if (g.state == state) return &g;
  return nullptr;
}

// Goroutines in many states, then a panic.
GORT_NOINLINE void leaf() { panic("test"); }
GORT_NOINLINE void middle(int) { leaf(); }
void blockedInMany() {
  static sync::Mutex mu;
  static sync::RWMutex rw;
  static sync::WaitGroup wg;
  auto c = make_chan<int>();
  mu.Lock();
  rw.Lock();
  wg.Add(1);
  go([=] { c.recv(); });
  go([] { make_chan<int>().send(1); });
  go([=] {
    int v;
    select(recv_case(c, v), recv_case(make_chan<int>(), v));
  });
  go([] { select(); });
  go([] { chan<int>{}.recv(); });
  go([] { chan<int>{}.send(1); });
  go([] { mu.Lock(); });
  go([] { rw.RLock(); });
  go([] { wg.Wait(); });
  go([] { time::Sleep(time::Hour); });
  go([=] {
    runtime::LockOSThread();
    c.recv();
  });
  auto waiting = [] {
    int n = 0;
    runtime::forEachGRace([&](runtime::g* gp) {
      n += runtime::readgstatus(gp) == runtime::_Gwaiting && !runtime::isSystemGoroutine(gp, false);
    });
    return n;
  };
  while (waiting() < 11) runtime::Gosched();
  middle(1);
}

Result withTraceback(const char* level) { return run_go(blockedInMany, {{"GOTRACEBACK", level}}); }

// main starts goroutine A from a recursion, A starts B in the same way, B starts C, which blocks.
// main then prints all stacks once A and B have ended and others have had their records.
constexpr int kAncestors = 3, kFrames = 2;
GORT_NOINLINE void recurseThenGo(chan<int> c, int goroutines, int frames) {
  if (goroutines == 0) {
    c.send(1);
    c.recv();
  } else if (frames == 0) {
    go(recurseThenGo, c, goroutines - 1, kFrames);
  } else {
    recurseThenGo(c, goroutines, frames - 1);
  }
  asm volatile("");
}
void printAncestors() {
  auto c = make_chan<int>();
  recurseThenGo(c, kAncestors, kFrames);
  c.recv();
  while (runtime::NumGoroutine() > 2) runtime::Gosched();
  // Goroutines that come and go reuse what those two had.
  auto done = make_chan<int>();
  for (int i = 0; i < 20; i++) {
    go([done] { go([done] { done.send(1); }); });
    done.recv();
  }
  while (runtime::NumGoroutine() > 2) runtime::Gosched();
  static char buf[1 << 16];
  int n = runtime::Stack(buf, true);
  print(std::string_view(buf, static_cast<std::size_t>(n)));
}

int count(const std::string& text, const std::string& what) {
  int n = 0;
  for (std::size_t i = 0; (i = text.find(what, i)) != std::string::npos; i++) n++;
  return n;
}

// The text of an unrecoverable error, its status, and that recover does not see it.
template <class F>
void fatal(F f, const std::string& text) {
  Result r = run_go([f] {
    func([f](auto& defer) {
      defer([] { recover(); });
      f();
    });
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("fatal error: " + text + "\n\ngoroutine 1 [running]:\n"),
                r.str());
  CHECK(parse(r.err).size() == 1);
}

}  // namespace

TEST_CASE("a dump of all goroutines has Go's format") {
  Result r = withTraceback("all");
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("panic: test\n\ngoroutine 1 [running]:\n"), r.str());
  auto all = parse(r.err);
  CHECK(all.size() == 12);
  std::set<int> ids;
  for (auto& g : all) {
    ids.insert(g.id);
    CHECK(g.creator.empty() == (g.id == 1));
    if (g.id != 1) CHECK(g.creator == "created by main.blockedInMany in goroutine 1");
    CHECK(!g.functions.empty());
  }
  CHECK(ids.size() == all.size());
  for (const char* state :
       {"chan receive", "chan send", "select", "select (no cases)", "chan receive (nil chan)",
        "chan send (nil chan)", "sync.Mutex.Lock", "sync.RWMutex.RLock", "semacquire", "sleep"})
    CHECK_MESSAGE(find(all, state) != nullptr, std::string(state) << " is missing in\n" << r.err);
  int locked = 0;
  for (auto& g : all) locked += g.locked;
  CHECK(locked == 1);
  // The panic's own frame is left out; its callers are there, innermost first.
  if (all.empty() || all[0].functions.size() < 3) return;
  CHECK(all[0].functions[0] == "main.leaf");
  CHECK(all[0].functions[1] == "main.middle");
  CHECK(all[0].functions[2] == "main.blockedInMany");
}

TEST_CASE("GOTRACEBACK=none prints no goroutine") {
  Result r = withTraceback("none");
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("panic: test\n"), r.str());
  CHECK_MESSAGE(!r.has("goroutine "), r.str());
}

TEST_CASE("GOTRACEBACK=single prints the one that panicked, and is the default") {
  for (const char* level : {"single", ""}) {
    Result r = withTraceback(level);
    CHECK(r.status == 2);
    auto all = parse(r.err);
    CHECK_MESSAGE((all.size() == 1 && all[0].id == 1), r.str());
    CHECK_MESSAGE(!r.has("runtime."), r.str());
  }
}

TEST_CASE("GOTRACEBACK=system adds the runtime's frames") {
  Result r = withTraceback("system");
  CHECK(r.status == 2);
  auto all = parse(r.err);
  CHECK(all.size() >= 12);
  const goroutine* g = find(all, "chan receive");
  CHECK_MESSAGE(g != nullptr, r.str());
  if (g == nullptr) return;
  CHECK_MESSAGE(std::count(g->functions.begin(), g->functions.end(), "runtime.gopark") == 1,
                r.str());
  CHECK_MESSAGE(r.has(" fp=0x"), r.str());
}

TEST_CASE("GOTRACEBACK=crash ends by SIGABRT") {
  Result r = run_child(
      [] {
        rlimit none{0, 0};
        setrlimit(RLIMIT_CORE, &none);
        Main(0, nullptr, blockedInMany);
      },
      {{"GOTRACEBACK", "crash"}});
  CHECK_MESSAGE(r.signal == SIGABRT, r.str());
  CHECK(parse(r.err).size() >= 12);
}

TEST_CASE("SetTraceback raises the level, but not below the environment's") {
  Result r = run_go(
      [] {
        runtime::debug::SetTraceback("all");
        blockedInMany();
      },
      {{"GOTRACEBACK", "single"}});
  CHECK(parse(r.err).size() == 12);
  r = run_go(
      [] {
        runtime::debug::SetTraceback("none");
        blockedInMany();
      },
      {{"GOTRACEBACK", "all"}});
  CHECK(parse(r.err).size() == 12);
}

TEST_CASE("TestTracebackAncestors") {
  for (int depth : {0, 1, 2, 5, 50}) {
    for (const char* procs : {"1", "4"}) {
      Result r = run_go(printAncestors, {{"GODEBUG", "tracebackancestors=" + std::to_string(depth)},
                                         {"GOMAXPROCS", procs}});
      CHECK(r.status == 0);
      int expected = std::min(depth, kAncestors);
      CHECK_MESSAGE(count(r.err, "goroutine 1 [running]:\n") == 1, r.str());
      CHECK_MESSAGE(count(r.err, " [chan receive]:\n") == 1, r.str());
      CHECK_MESSAGE(count(r.err, "[originating from goroutine ") == expected, r.str());
      // In an ancestor the arguments are not known: (...).
      CHECK_MESSAGE(count(r.err, "\nmain.recurseThenGo(...)\n\t") >= expected * (kFrames + 1),
                    r.str());
      // C itself says who created it, and of its ancestors all but main.
      int created = 1 + std::min(expected, kAncestors - 1);
      CHECK_MESSAGE(count(r.err, "\ncreated by main.recurseThenGo") == created, r.str());
      CHECK_MESSAGE(count(r.err, "\ncreated by main.recurseThenGo in goroutine ") == 1, r.str());
      // The nearest first, main's goroutine last.
      bool all = depth >= kAncestors;
      CHECK_MESSAGE(r.has("[originating from goroutine 1]:\n") == all, r.str());
      if (!all) continue;
      std::size_t main = r.err.find("[originating from goroutine 1]:\n");
      CHECK_MESSAGE(r.err.find("[originating from goroutine ", main + 1) == std::string::npos,
                    r.str());
      CHECK_MESSAGE(r.err.find("\nmain.printAncestors(...)\n", main) != std::string::npos, r.str());
    }
  }
}

TEST_CASE("the innermost 50 frames of an ancestor are kept") {
  Result r = run_go(
      [] {
        struct deep {
          GORT_NOINLINE static void down(int n) {
            if (n == 0)
              go([] { panic("deep"); });
            else
              down(n - 1);
            asm volatile("");
          }
        };
        deep::down(100);
        make_chan<int>().recv();
      },
      {{"GODEBUG", "tracebackancestors=1"}});
  CHECK(r.status == 2);
  CHECK_MESSAGE(count(r.err, "...additional frames elided...\n") == 1, r.str());
  int frames = count(r.err, "deep).down(...)\n");
  CHECK_MESSAGE((frames >= 45 && frames <= 50), r.str());
}

TEST_CASE("TestPanicTraceback") {
  Result r = run_go([] {
    func([](auto& defer) {
      defer([] { panic("panic pt1"); });
      func([](auto& defer) {
        defer([] { panic("panic pt2"); });
        panic("hello");
      });
    });
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("panic: hello\n\tpanic: panic pt2\n\tpanic: panic pt1\n\n"),
                r.str());
  auto all = parse(r.err);
  CHECK(all.size() == 1);
  int panics = 0;
  for (auto& g : all)
    for (auto& f : g.functions) panics += f == "panic";
  CHECK_MESSAGE(panics == 2, r.str());
}

TEST_CASE("a long stack is elided in the middle") {
  struct deep {
    GORT_NOINLINE static int down(int n) {
      char pad[16];
      asm volatile("" : : "r"(pad) : "memory");
      if (n == 0) panic("deep");
      return down(n - 1) + pad[0];
    }
  };
  Result r = run_go([] { deep::down(300); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(std::regex_search(r.err, std::regex(R"(\n\.\.\.\d+ frames elided\.\.\.\n)")),
                r.str());
  int lines = 0;
  for (std::size_t i = 0; (i = r.err.find("deep).down(", i)) != std::string::npos; i++) lines++;
  CHECK_MESSAGE((lines >= 90 && lines <= 100), r.str());
}

TEST_CASE("fatal errors that recover does not see") {
  fatal(
      [] {
        static sync::Mutex mu;
        mu.Unlock();
      },
      "sync: unlock of unlocked mutex");
  fatal(
      [] {
        static sync::RWMutex mu;
        mu.Unlock();
      },
      "sync: Unlock of unlocked RWMutex");
  fatal(
      [] {
        static sync::RWMutex mu;
        mu.RUnlock();
      },
      "sync: RUnlock of unlocked RWMutex");
}

TEST_CASE("a junk GOMAXPROCS is reported and ignored") {
  for (const char* value : {"junk", "0", "-3", "99999999999"}) {
    Result r = run_go([] { CHECK_GO(runtime::GOMAXPROCS(0) == runtime::NumCPU()); },
                      {{"GOMAXPROCS", value}});
    CHECK_MESSAGE(r.status == 0, r.str());
    CHECK_MESSAGE(r.err.starts_with("runtime: GOMAXPROCS=" + std::string(value) +
                                    " is not a positive number; using "),
                  r.str());
  }
}

TEST_CASE("a throw has the runtime's frames and cannot be recovered") {
  Result r = run_go([] {
    func([](auto& defer) {
      defer([] { recover(); });
      runtime::throw_("broken");
    });
  });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.err.starts_with("fatal error: broken\n\n"), r.str());
  auto all = parse(r.err);
  CHECK_MESSAGE((!all.empty() && all[0].functions[0] == "runtime.throw"), r.str());
}

TEST_CASE("a panic's value shows its type") {
  struct {
    void (*f)();
    const char* text;
  } cases[] = {
      {[] { panic(93); }, "panic: 93\n"},
      {[] { panic(true); }, "panic: true\n"},
      {[] { panic(-93.7); }, "panic: -9.370000e+001\n"},
      {[] { panic(runtime::errorString{"x"}); }, "panic: runtime error: x\n"},
      {[] { runtime::panicdivide(); }, "panic: runtime error: integer divide by zero\n"},
      {[] { runtime::goPanicIndex(5, 3); },
       "panic: runtime error: index out of range [5] with length 3\n"},
  };
  for (auto& c : cases) {
    Result r = run_go(c.f);
    CHECK(r.status == 2);
    CHECK_MESSAGE(r.err.starts_with(c.text), r.str());
  }
}
