// Faults of goroutine code become panics; faults elsewhere end the process with a dump. Go's
// behaviours: runtime/panic.go, signal_unix.go's sigpanic, and TestRecoverFromSigpanic's kin.
//
// What faults here is written in assembly or reads volatile memory: to the C++ compiler a null
// pointer's dereference is not defined, and it may leave it out.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <regex>

#include "runtime/lock_futex.h"
#include "runtime/signal_unix.h"
#include "tests/chan_wait.h"
#include "tests/preemptstorm.h"

using namespace gort;
using namespace gort::test;

namespace {

const std::string nilText = "runtime error: invalid memory address or nil pointer dereference";
const std::string divideText = "runtime error: integer divide by zero";

struct big {
  long head[10];
  long field;
};

// Pointers that the compiler knows nothing about.
template <class T>
T* hide(T* p) {
  asm volatile("" : "+r"(p));
  return p;
}

GORT_NOINLINE void readNil() { (void)*hide<volatile long>(nullptr); }
GORT_NOINLINE void writeNil() { *hide<volatile long>(nullptr) = 1; }
GORT_NOINLINE void fieldOfNil() { *hide<volatile long>(&hide<big>(nullptr)->field) = 1; }
GORT_NOINLINE void lastByteOfPage() { (void)*hide(reinterpret_cast<volatile char*>(4095)); }
GORT_NOINLINE void callNil() {
  hide<void()>(nullptr)();
  asm volatile("");
}
GORT_NOINLINE void divide() {
  int zero = 0, one = 1;
  asm volatile("cltd\n\tidivl %[zero]" : "+a"(one) : [zero] "r"(zero) : "rdx", "cc");
}

struct fault {
  const char* name;
  void (*make)();
  const std::string& text;
};
const fault faults[] = {
    {"read", readNil, nilText},     {"write", writeNil, nilText},
    {"field", fieldOfNil, nilText}, {"last byte", lastByteOfPage, nilText},
    {"call", callNil, nilText},     {"divide", divide, divideText},
};

// What panicText does, where many of them come in a row: no std::string on small stacks.
GORT_NOINLINE bool faultsWith(void (*f)(), std::string_view text) {
  bool ok = false;
  func([&](auto& defer) {
    defer([&] {
      if (any r = recover()) ok = r.Error() == text;
    });
    f();
  });
  return ok;
}

template <int Bytes>
GORT_NOINLINE long recurse(int depth, void (*f)(), std::string_view text) {
  volatile char frame[Bytes];
  frame[0] = static_cast<char>(depth);
  long n = depth == 0 ? (faultsWith(f, text) ? 1 : 0) : recurse<Bytes>(depth - 1, f, text);
  CHECK_GO(frame[0] == static_cast<char>(depth));
  return n;
}

}  // namespace

GORT_TEST("faults are recovered") {
  for (const fault& f : faults) {
    std::string got = panicText(f.make);
    if (got != f.text) println(f.name, std::string_view(got));
    CHECK_GO(got == f.text);
  }
}

GORT_TEST("a fault's panic is a runtime error") {
  for (const fault& f : faults) {
    bool ok = false;
    func([&](auto& defer) {
      defer([&] {
        any r = recover();
        ok = r && r.isRuntimeError();
      });
      f.make();
    });
    CHECK_GO(ok);
  }
}

GORT_TEST("faults in deferred calls, in nested functions, and again after a recovery") {
  int ran = 0;
  std::string text = panicText([&] {
    func([&](auto& defer) {
      defer([&] {
        ran++;
        CHECK_GO(faultsWith(divide, divideText));  // within a panic
      });
      defer([&] {
        ran++;
        writeNil();  // replaces the panic
      });
      divide();
    });
  });
  CHECK_GO(text == nilText);
  CHECK_GO(ran == 2);
  // A function that recovers goes on, and its caller too.
  for (int i = 0; i < 3; i++)
    for (const fault& f : faults) CHECK_GO(faultsWith(f.make, f.text));
}

GORT_TEST("what is recovered has not lost its variables") {
  long a = 1, b = 2, c = 3;
  auto one = make<long>(7);
  func([&](auto& defer) {
    defer([&] {
      recover();
      a += 10;
    });
    b += 10;
    readNil();
    c += 10;
  });
  CHECK_GO(a == 11 && b == 12 && c == 3 && *one == 7);
}

GORT_TEST("faults on small stacks and on deep ones", Env{{"GODEBUG", "stackmoveall=1"}}) {
  auto done = make_chan<long>();
  int n = 0;
  for (const fault& f : faults)
    for (int depth = 0; depth < 30; depth++) {
      // A new goroutine has a new, small stack; the fault comes at every fill of it.
      go([=, &f] { done.send(recurse<64>(depth, f.make, f.text)); });
      n++;
    }
  go([=] { done.send(recurse<1000>(1000, readNil, nilText)); });
  for (n++; n > 0; n--) CHECK_GO(done.recv() == 1);
}

GORT_TEST("10,000 faults in a row on several goroutines") {
  constexpr int goroutines = 4;
  int each = runtime::raceenabled ? 500 : 10000;
  auto done = make_chan<bool>();
  for (int g = 0; g < goroutines; g++)
    go([=] {
      for (int i = 0; i < each; i++) {
        const fault& f = faults[(i + g) % 6];
        CHECK_GO(faultsWith(f.make, f.text));
      }
      done.send(true);
    });
  for (int i = 0; i < 5; i++) runtime::GC();
  for (int g = 0; g < goroutines; g++) done.recv();
}

// A signal that asks for preemption comes between the fault and what it becomes.
GORT_TEST("faults under preemption by signals") {
  static PreemptStorm storm;
  storm.start();
  constexpr int goroutines = 3;
  int each = runtime::raceenabled ? 300 : 3000;
  auto done = make_chan<bool>();
  for (int g = 0; g < goroutines; g++)
    go([=] {
      int slot = storm.enter();
      // On a machine that is busy a signal may come late.
      for (int i = 0; i < each || PreemptStorm::stopped() == 0; i++) {
        const fault& f = faults[i % 6];
        CHECK_GO(faultsWith(f.make, f.text));
        for (int j = 0; j < 20000; j++) asm volatile("");
      }
      storm.leave(slot);
      done.send(true);
    });
  for (int g = 0; g < goroutines; g++) done.recv();
  storm.stop();
}

// ---- faults that nobody recovers ----

namespace {

std::string at(const std::string& text, const char* pattern) {
  std::smatch m;
  return std::regex_search(text, m, std::regex(pattern)) ? m[0].str() : "";
}

constexpr int writeLine = __LINE__ + 1;
GORT_NOINLINE void unrecoveredWrite() { *hide(reinterpret_cast<volatile long*>(0x18)) = 1; }
GORT_NOINLINE void callsUnrecovered() {
  unrecoveredWrite();
  asm volatile("");
}
GORT_NOINLINE void callsNil() {
  callNil();
  asm volatile("");
}
GORT_NOINLINE void callsDivide() {
  divide();
  asm volatile("");
}

}  // namespace

TEST_CASE("text and traceback of a nil dereference") {
  for (const char* procs : {"1", "4"}) {
    Result r = run_go([] { callsUnrecovered(); }, {{"GOMAXPROCS", procs}});
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.err.starts_with("panic: " + nilText +
                                    "\n[signal SIGSEGV: segmentation "
                                    "violation code="),
                  r.str());
    CHECK_MESSAGE(at(r.err,
                     "code=0x1 addr=0x18 pc=0x[0-9a-f]+\\]\n\ngoroutine 1 \\[running\\]:\n"
                     "main\\.unrecoveredWrite\\(\\)\n\t\\S*sigpanic_test\\.cc:\\d+") != "",
                  r.str());
    // The innermost frame is the one that faulted, with its line, and its caller follows.
    std::string line = "sigpanic_test.cc:" + std::to_string(writeLine) + " ";
    CHECK_MESSAGE(r.err.find(line) < r.err.find("main.callsUnrecovered"), r.str());
    CHECK_MESSAGE(!r.has("runtime.sigpanic"), r.str());
  }
}

TEST_CASE("text and traceback of a call of a null function pointer") {
  Result r = run_go([] { callsNil(); });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with("panic: " + nilText +
                                  "\n[signal SIGSEGV: segmentation violation "
                                  "code=0x1 addr=0x0 pc=0x"),
                r.str());
  std::size_t inner = r.err.find("main.callNil()"), outer = r.err.find("main.callsNil()");
  CHECK_MESSAGE((inner != std::string::npos && outer != std::string::npos && inner < outer),
                r.str());
}

// Faults at its first instruction, when it has no frame yet.
asm(R"(
    .text
    .type faults_at_entry, @function
faults_at_entry:
    movq 0, %rax
    ret
    .size faults_at_entry, . - faults_at_entry
)");
extern "C" void faults_at_entry();
GORT_NOINLINE void callsFaultAtEntry() {
  faults_at_entry();
  asm volatile("");
}

TEST_CASE("a traceback from a function without a frame yet has its caller") {
  // Shown at all: a C function, which it is by its name, is not without that.
  Result r =
      run_child([] { Main(0, nullptr, [] { callsFaultAtEntry(); }); }, {{"GOTRACEBACK", "system"}});
  CHECK_MESSAGE(r.status == 2, r.str());
  std::size_t inner = r.err.find("\nfaults_at_entry"),
              outer = r.err.find("\nmain.callsFaultAtEntry()\n");
  CHECK_MESSAGE((inner != std::string::npos && outer != std::string::npos && inner < outer),
                r.str());
}

TEST_CASE("text and traceback of a division by zero") {
  Result r = run_go([] { callsDivide(); });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with("panic: " + divideText +
                                  "\n[signal SIGFPE: floating-point "
                                  "exception code=0x1 addr=0x"),
                r.str());
  CHECK_MESSAGE(r.err.find("main.divide()") < r.err.find("main.callsDivide()"), r.str());
}

TEST_CASE("a panic that is repeated names both, and the signal") {
  Result r = run_go([] {
    func([](auto& defer) {
      defer([] { panic("again"); });
      readNil();
    });
  });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with("panic: " + nilText + "\n\tpanic: again\n[signal SIGSEGV"),
                r.str());
}

namespace {

// A page that nobody may touch, mapped before the children are made.
volatile char* forbiddenPage() {
  static void* page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return static_cast<volatile char*>(page);
}

std::string hex(std::uintptr_t p) {
  char buf[32];
  std::snprintf(buf, sizeof buf, "0x%lx", p);
  return buf;
}

}  // namespace

TEST_CASE("an unexpected fault address") {
  std::string addr = hex(reinterpret_cast<std::uintptr_t>(forbiddenPage()) + 0x123);
  Result r = run_go([] {
    func([](auto& defer) {
      defer([] { recover(); });
      forbiddenPage()[0x123] = 1;
    });
  });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(
      r.err.starts_with("unexpected fault address " + addr + "\nfatal error: fault\n" +
                        "[signal SIGSEGV: segmentation violation code=0x2 addr=" + addr + " pc=0x"),
      r.str());
}

// An address that is not canonical: the kernel reports no address.
TEST_CASE("a non-canonical address") {
  Result r = run_go([] {
    std::string text = panicText([] { (void)*hide(reinterpret_cast<volatile long*>(1ull << 63)); });
    print(std::string_view(text));
  });
  // Go: si_code is SI_KERNEL, the address 0: «unexpected fault address 0x0».
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with("unexpected fault address 0x0\nfatal error: fault\n"), r.str());
}

namespace {

// A page of a file that ends in front of it.
volatile char* truncatedPage() {
  int fd = memfd_create("truncated", 0);
  CHECK_GO(ftruncate(fd, 8192) == 0);
  void* p = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, fd, 0);
  CHECK_GO(p != MAP_FAILED);
  CHECK_GO(ftruncate(fd, 0) == 0);
  ::close(fd);
  return static_cast<volatile char*>(p);
}

}  // namespace

TEST_CASE("SIGBUS from a truncated file") {
  Result r = run_go([] { (void)*truncatedPage(); });
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(at(r.err,
                   "^unexpected fault address 0x[0-9a-f]+\nfatal error: fault\n"
                   "\\[signal SIGBUS: bus error code=0x2 addr=0x[0-9a-f]+ pc=0x") != "",
                r.str());
}

GORT_TEST("SetPanicOnFault: other addresses panic, too") {
  runtime::getg()->paniconfault = true;
  volatile char* page = truncatedPage();
  CHECK_GO(panicText([&] { (void)*page; }) == nilText);
  page = forbiddenPage();
  CHECK_GO(panicText([&] { *page = 1; }) == nilText);
}

namespace {

void dies(const Result& r, const std::string& start) {
  CHECK_MESSAGE(r.status == 2, r.str());
  CHECK_MESSAGE(r.err.starts_with(start), r.str());
  CHECK_MESSAGE(!r.has("WARNING: ThreadSanitizer"), r.str());
}

// f runs where a fault cannot be left, with a deferred call that would recover.
template <class F>
Result deadly(F f, const Env& env = {}) {
  return run_go(
      [f] {
        func([f](auto& defer) {
          defer([] {
            recover();
            print("recovered\n");
          });
          f();
        });
      },
      env);
}

const std::string segv = "SIGSEGV: segmentation violation\nPC=0x";

}  // namespace

TEST_CASE("a fault in the C library is fatal") {
  Result r = deadly([] {
    auto* volatile length = &strlen;
    (void)hide(reinterpret_cast<char*>(length(hide<const char>(nullptr))));
  });
  if (runtime::raceenabled) return;  // TSan's strlen
  dies(r, segv);
  CHECK_MESSAGE(at(r.err, "m=\\d+ sigcode=1 addr=0x0\n\ngoroutine 1 \\[running\\]:\n") != "",
                r.str());
  CHECK_MESSAGE(!r.has("recovered"), r.str());
}

TEST_CASE("a fault on the system stack is fatal") {
  Result r = deadly([] { runtime::systemstack([] { writeNil(); }); });
  dies(r, segv);
  CHECK_MESSAGE(!r.has("recovered"), r.str());
}

TEST_CASE("a fault in a blocking call on the system stack is fatal") {
  dies(deadly([] { runtime::cgocall([] { writeNil(); }); }), segv);
}

TEST_CASE("a fault with a lock of the runtime held is fatal") {
  Result r = deadly([] {
    static runtime::mutex l;
    runtime::lock2(&l);
    writeNil();
  });
  dies(r, "fatal error: unexpected signal during runtime execution\n[signal SIGSEGV");
  CHECK_MESSAGE(!r.has("recovered"), r.str());
}

TEST_CASE("a fault while memory is being allocated is fatal") {
  Result r = deadly([] {
    runtime::getg()->m->mallocing++;
    writeNil();
  });
  dies(r, "fatal error: unexpected signal during runtime execution\n");
}

TEST_CASE("an illegal instruction is fatal, with its bytes") {
  Result r = deadly([] { asm volatile("ud2"); });
  dies(r, "SIGILL: illegal instruction\nPC=0x");
  CHECK_MESSAGE(r.has("\ninstruction bytes: 0xf 0xb"), r.str());
  CHECK_MESSAGE(r.has("goroutine 1 [running]:\nmain."), r.str());
}

TEST_CASE("a breakpoint is fatal") {
  dies(deadly([] { asm volatile("int3"); }), "SIGTRAP: trace trap\nPC=0x");
}

// Somebody else has sent it: Go drops it if it is ignored, and otherwise ends the process.
TEST_CASE("SIGSEGV that was sent ends the process with a dump") {
  for (int sig : {SIGSEGV, SIGBUS, SIGFPE}) {
    Result r = deadly([sig] {
      syscall::Kill(syscall::Getpid(), sig);
      for (;;) runtime::Gosched();
    });
    dies(r, std::string(runtime::sigtable[sig].name) + "\nPC=0x");
    CHECK_MESSAGE(r.has("sigcode=0"), r.str());
    CHECK_MESSAGE(!r.has("recovered"), r.str());
    CHECK_MESSAGE(r.has("rip    0x"), r.str());
  }
}

TEST_CASE("a fault on a goroutine shows the others, if asked") {
  Result r = run_go(
      [] {
        auto c = make_chan<int>();
        go([=] { c.recv(); });
        waitReceivers(c, 1);
        runtime::systemstack([] { writeNil(); });
      },
      {{"GOTRACEBACK", "all"}, {"GOMAXPROCS", "1"}});
  dies(r, segv);
  CHECK_MESSAGE(r.has("[chan receive]:"), r.str());
}

TEST_CASE("a fault while a crash is reported ends the report") {
  // A damaged goroutine: its traceback faults.
  Result r = run_go(
      [] {
        static runtime::g* damaged;
        auto c = make_chan<int>();
        go([=] {
          damaged = runtime::getg();
          c.recv();
        });
        waitReceivers(c, 1);
        damaged->sched.sp = 16;
        damaged->sched.bp = 16;
        panic("first");
      },
      {{"GOTRACEBACK", "all"}, {"GOMAXPROCS", "1"}});
  CHECK_MESSAGE(r.err.starts_with("panic: first\n"), r.str());
  CHECK_MESSAGE((r.status == 2 || r.status == 4 || r.status == 5), r.str());
}
