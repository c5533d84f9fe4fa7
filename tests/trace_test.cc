// The execution tracer: its API, and that `go tool trace` finds in the file what the program did. Goes
// by Go's runtime/trace tests; TestUserTaskRegion has its name from there.
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "tests/chan_wait.h"
#include "tests/gotrace.h"
#include "tests/harness.h"
#include "tests/pipes.h"

using namespace gort;
using namespace gort::test;
namespace trace = runtime::trace;

namespace {

int startTo(const std::string& path) {
  int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  CHECK_GO(fd >= 0);
  CHECK_GO(!trace::Start(fd));
  return fd;
}

void stopTo(int fd) {
  trace::Stop();
  ::close(fd);
}

// Runs f on a goroutine and returns when that is in a system call and has lost its P to a stopped world.
template <class F>
runtime::g* startInSyscall(F f) {
  auto self = make_chan<runtime::g*>(1);
  go([self, f] {
    self.send(runtime::getg());
    f();
  });
  runtime::g* gp = self.recv();
  while (runtime::readgstatus(gp) != runtime::_Gsyscall) runtime::Gosched();
  runtime::GC();
  return gp;
}

uint64_t idOf(runtime::g* gp) { return gp->goid; }

GORT_NOINLINE void recvWaiter(chan<int> c) { c.recv(); }
GORT_NOINLINE void mutexWaiter(sync::Mutex* mu) {
  mu->Lock();
  mu->Unlock();
}
GORT_NOINLINE void pipeReader(int fd) { readbyte(fd); }

}  // namespace

GORT_TEST("Start and Stop") {
  trace::Stop();  // nothing to stop
  CHECK_GO(!trace::IsEnabled());
  for (int i = 0; i < 3; i++) {
    struct seen {
      std::string text;
      int pieces = 0;
    };
    auto* s = new seen;
    CHECK_GO(!trace::Start([s](const void* p, size_t n) {
      s->text.append(static_cast<const char*>(p), n);
      s->pieces++;
      return true;
    }));
    CHECK_GO(trace::IsEnabled());
    any err = trace::Start(2);
    CHECK_GO(err.isError());
    CHECK_GO(err.Error() == "runtime error: tracing is already enabled");
    trace::Stop();
    CHECK_GO(!trace::IsEnabled());
    // Stop has waited for all of it.
    CHECK_GO(s->text.starts_with(std::string("go 1.19 trace\0\0\0", 16)));
    CHECK_GO(s->pieces >= 4);  // header, a buffer, the frequency, stacks
    delete s;
  }
}

GORT_TEST("a writer that fails gets no more, and tracing goes on") {
  auto* calls = new int(0);
  CHECK_GO(!trace::Start([calls](const void*, size_t) {
    ++*calls;
    return false;
  }));
  runtime::GC();
  CHECK_GO(trace::IsEnabled());
  trace::Stop();
  CHECK_GO(*calls == 1);
  delete calls;
}

TEST_CASE("goroutines block for the reasons that the program has") {
  traceEverywhere(
      "blocking",
      [](const std::string& path) {
        int fd = startTo(path);
        auto c = make_chan<int>();
        auto c2 = make_chan<int>();
        auto c3 = make_chan<int>();
        auto* mu = make<sync::Mutex>();
        auto* wg = make<sync::WaitGroup>();
        auto* condMu = make<sync::Mutex>();
        auto* cond = make<sync::Cond>(condMu);
        int before = runtime::NumGoroutine();
        mu->Lock();
        wg->Add(1);
        println("recv", idOf(startBlocked(runtime::waitReasonChanReceive, [c] { recvWaiter(c); })));
        println("send", idOf(startBlocked(runtime::waitReasonChanSend, [c2] { c2.send(1); })));
        println("select", idOf(startBlocked(runtime::waitReasonSelect, [c3] {
                  int v = 0;
                  auto never = make_chan<int>();
                  select(recv_case(c3, v), recv_case(never, v));
                })));
        println("mutex",
                idOf(startBlocked(runtime::waitReasonSyncMutexLock, [mu] { mutexWaiter(mu); })));
        println("wg", idOf(startBlocked(runtime::waitReasonSemacquire, [wg] { wg->Wait(); })));
        println("cond", idOf(startBlocked(runtime::waitReasonSyncCondWait, [cond, condMu] {
                  condMu->Lock();
                  cond->Wait();
                  condMu->Unlock();
                })));
        println("sleep",
                idOf(startBlocked(runtime::waitReasonSleep, [] { time::Sleep(time::Hour); })));
        println("nilchan", idOf(startBlocked(runtime::waitReasonChanReceiveNilChan,
                                             [] { chan<int>{}.recv(); })));
        println("forever", idOf(startBlocked(runtime::waitReasonSelectNoCases, [] { select(); })));
        c.send(1);
        c2.recv();
        c3.send(1);
        mu->Unlock();
        wg->Done();
        cond->Signal();
        // The three others stay.
        while (runtime::NumGoroutine() != before + 3) runtime::Gosched();
        stopTo(fd);
      },
      [](const std::string& path, const std::string& out) {
        Trace t = readTrace(path);
        struct {
          const char* key;
          const char* event;
          bool ends;
        } expected[] = {{"recv", "GoBlockRecv", true},     {"send", "GoBlockSend", true},
                        {"select", "GoBlockSelect", true}, {"mutex", "GoBlockSync", true},
                        {"wg", "GoBlockSync", true},       {"cond", "GoBlockCond", true},
                        {"sleep", "GoSleep", false},       {"nilchan", "GoStop", false},
                        {"forever", "GoStop", false}};
        for (const auto& e : expected) {
          INFO(std::string(e.key));
          uint64_t id = printed(out, e.key);
          CHECK(t.countAbout("GoCreate", id) == 1);
          CHECK(t.countOf(e.event, id) == 1);
          CHECK(t.countOf("GoEnd", id) == (e.ends ? 1 : 0));
          // By who released it, and then it ran again.
          CHECK(t.countAbout("GoUnblock", id) == (e.ends ? 1 : 0));
        }
        std::string sync = traceProfile(path, "sync");
        CHECK_MESSAGE(sync.find("recvWaiter") != std::string::npos, sync);
        CHECK_MESSAGE(sync.find("mutexWaiter") != std::string::npos, sync);
        CHECK_MESSAGE(sync.find("sync.(*Mutex).Lock") != std::string::npos, sync);
        CHECK_MESSAGE(sync.find("sync.(*WaitGroup).Wait") != std::string::npos, sync);
        CHECK_MESSAGE(sync.find("sync.(*Cond).Wait") != std::string::npos, sync);
        // How the runtime does it is not shown.
        CHECK_MESSAGE(sync.find("gopark") == std::string::npos, sync);
        CHECK(traceProfile(path, "sched").find("trace_test.cc") != std::string::npos);
      });
}

TEST_CASE("system calls") {
  traceEverywhere(
      "system calls",
      [](const std::string& path) {
        pipefds early = makepipe(), late = makepipe();
        runtime::g* inCall = startInSyscall([=] { readbyte(early.r); });
        println("early", idOf(inCall));
        println("waiting",
                idOf(startBlocked(runtime::waitReasonSleep, [] { time::Sleep(time::Hour); })));
        int before = runtime::NumGoroutine();
        int fd = startTo(path);
        println("late", idOf(startInSyscall([=] { pipeReader(late.r); })));
        writebyte(early.w, 0);
        writebyte(late.w, 0);
        // The reader of the trace has come, the one of early has gone.
        while (runtime::NumGoroutine() != before) runtime::Gosched();
        stopTo(fd);
      },
      [](const std::string& path, const std::string& out) {
        Trace t = readTrace(path);
        uint64_t early = printed(out, "early"), late = printed(out, "late");
        CHECK(t.countAbout("GoInSyscall", early) == 1);
        CHECK(t.countOf("GoSysCall", early) == 0);
        CHECK(t.countAbout("GoSysExit", early) == 1);
        CHECK(t.countOf("GoEnd", early) == 1);
        CHECK(t.countOf("GoSysCall", late) == 1);
        CHECK(t.countOf("GoSysBlock", late) == 1);
        CHECK(t.countAbout("GoSysExit", late) == 1);
        CHECK(t.countOf("GoEnd", late) == 1);
        CHECK(t.countAbout("GoWaiting", printed(out, "waiting")) == 1);
        std::string calls = traceProfile(path, "syscall");
        CHECK_MESSAGE(calls.find("pipeReader") != std::string::npos, calls);
        // Nothing here waits for the network.
        CHECK(traceProfile(path, "net").find(".cc:") == std::string::npos);
      });
}

TEST_CASE("many goroutines, many buffers") {
  traceEverywhere(
      "many goroutines",
      [](const std::string& path) {
        int before = runtime::NumGoroutine();
        int fd = startTo(path);
        constexpr int n = 1000;
        auto c = make_chan<int>();
        for (int i = 0; i < n; i++)
          go([c] {
            for (int k = 0; k < 10; k++) {
              runtime::Gosched();
              c.send(k);
            }
          });
        int sum = 0;
        for (int i = 0; i < 10 * n; i++) sum += c.recv();
        CHECK_GO(sum == 45 * n);
        while (runtime::NumGoroutine() != before + 1) runtime::Gosched();
        println("main", idOf(runtime::getg()));
        stopTo(fd);
      },
      [](const std::string& path, const std::string& out) {
        Trace t = readTrace(path);
        uint64_t main = printed(out, "main");
        // And the goroutine that reads the trace.
        int created = 0;
        for (const TraceEvent& e : t.events) created += e.name == "GoCreate" && e.g == main;
        CHECK(created == 1001);
        CHECK(t.count("GoEnd") == 1000);
        CHECK(t.count("GoSched") >= 10000);
        CHECK(t.events.size() > 30000);
      });
}

TEST_CASE("collections and the number of Ps") {
  traceEverywhere(
      "collections",
      [](const std::string& path) {
        int fd = startTo(path);
        for (int i = 0; i < 3; i++) {
          slice<slice<int>> keep = make_slice<slice<int>>(100);
          for (int k = 0; k < 100; k++) keep[k] = make_slice<int>(1000);
          runtime::GC();
        }
        // Until collections begin by themselves: with one P there is nobody else to sweep then.
        for (int i = 0; i < 100000; i++) make_slice<int>(100);
        println("procs", runtime::GOMAXPROCS(0));
        int procs = runtime::GOMAXPROCS(3);
        runtime::GOMAXPROCS(1);
        runtime::GOMAXPROCS(procs);
        stopTo(fd);
      },
      [](const std::string& path, const std::string& out) {
        Trace t = readTrace(path);
        int cycles = t.count("GCStart");
        CHECK(cycles >= 3);
        CHECK(t.count("GCDone") == cycles);
        CHECK(t.count("GCSTWStart") >= 2 * cycles);
        CHECK(t.count("GCSTWDone") == t.count("GCSTWStart"));
        CHECK(t.count("GCSweepStart") == t.count("GCSweepDone"));
        if (printed(out, "procs") == 1) CHECK(t.count("GCSweepStart") > 0);
        CHECK(t.count("HeapAlloc") > 0);
        CHECK(t.count("HeapGoal") >= cycles);
        CHECK(t.count("GoStartLabel") > 0);  // a mark worker
        std::string procs;
        for (const TraceEvent& e : t.events)
          if (e.name == "Gomaxprocs" && !procs.ends_with(e.arg("procs"))) procs += e.arg("procs");
        CHECK_MESSAGE(procs.find("31") != std::string::npos, procs);
      });
}

TEST_CASE("TestUserTaskRegion") {
  traceEverywhere(
      "annotations",
      [](const std::string& path) {
        trace::Context background = trace::Background();
        trace::Region preExisting = trace::StartRegion(background, "pre-existing region");
        int fd = startTo(path);
        auto [taskCtx, task] = trace::NewTask(background, "task0");
        auto ended = make_chan<bool>();
        go([ended, ctx = taskCtx, t = task]() mutable {
          trace::WithRegion(ctx, "region0", [ctx] {
            trace::WithRegion(ctx, "region1", [ctx] {
              trace::Log(ctx, "key0", "0123456789abcdef");
              trace::Logf(ctx, "key1", "%d,%s", 42, "formatted");
            });
          });
          // Ends by a panic too.
          func([&](auto& defer) {
            defer([] { recover(); });
            trace::WithRegion(ctx, "panics", [] { panic("oops"); });
          });
          // Longer than an event may be: cut.
          trace::Log(ctx, "long", std::string(100000, 'x'));
          trace::Log(ctx, std::string(100000, 'k'), "long key");
          t.End();
          ended.send(true);
        });
        ended.recv();
        preExisting.End();
        trace::Region post = trace::StartRegion(background, "post-existing region");
        stopTo(fd);
        post.End();
      },
      [](const std::string& path, const std::string&) {
        Trace t = readTrace(path);
        std::string got;
        for (const TraceEvent& e : t.events) {
          if (e.name == "UserTaskCreate") got += "create " + e.arg("name") + "\n";
          if (e.name == "UserTaskEnd") got += "end\n";
          // The name of the last one has a blank.
          if (e.name == "UserRegion") got += e.arg("name") + " " + e.arg("mode") + "\n";
          if (e.name == "UserLog" && e.arg("message").size() < 100)
            got += e.arg("category").substr(0, 10) + ": " + e.arg("message") + "\n";
          else if (e.name == "UserLog")
            got += "long " + std::to_string(e.arg("message").size()) + "\n";
        }
        CHECK(got ==
              "create task0\n"
              "region0 0\n"
              "region1 0\n"
              "key0: 0123456789abcdef\n"
              "key1: 42,formatted\n"
              "region1 1\n"
              "region0 1\n"
              "panics 0\n"
              "panics 1\n"
              "long 16384\n"
              "kkkkkkkkkk: long\n"
              "end\n"
              "post-existing 0\n");
      });
}

namespace {

// A thread that the runtime has not made calls in; returns when it has ended.
void callIn(const char* key) {
  runtime::cgocall([key] {
    pthread_t t;
    pthread_create(
        &t, nullptr,
        [](void* arg) -> void* {
          runtime::cgocallback([arg] {
            runtime::Gosched();
            println(static_cast<const char*>(arg), idOf(runtime::getg()));
          });
          return nullptr;
        },
        const_cast<char*>(key));
    pthread_join(t, nullptr);
  });
}

}  // namespace

TEST_CASE("threads made by others") {
  traceEverywhere(
      "threads",
      [](const std::string& path) {
        runtime::ExpectCallbacks();
        callIn("first");  // makes an M, which waits for the next one
        int fd = startTo(path);
        auto* wg = make<sync::WaitGroup>();
        for (int i = 0; i < 20; i++) {
          wg->Add(1);
          go([wg] {
            callIn("more");
            wg->Done();
          });
        }
        wg->Wait();
        callIn("last");
        stopTo(fd);
      },
      [](const std::string& path, const std::string& out) {
        Trace t = readTrace(path);
        for (const char* key : {"first", "last"}) {
          INFO(std::string(key));
          uint64_t id = printed(out, key);
          CHECK(t.countAbout("GoCreate", id) == 1);
          CHECK(t.countAbout("GoInSyscall", id) == 1);
        }
        uint64_t last = printed(out, "last");
        CHECK(t.countAbout("GoSysExit", last) >= 1);
        CHECK(t.countOf("GoSched", last) >= 1);
        CHECK(t.countOf("GoSysCall", last) >= 1);
      });
}
