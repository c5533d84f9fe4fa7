// `go tool pprof` opens every profile and says what the program did.
#include <string>

#include "runtime/os_linux.h"
#include "tests/chan_wait.h"
#include "tests/pprof_list.h"
#include "tests/pprof_tool.h"

using namespace gort;
using namespace gort::test;
namespace pprof = runtime::pprof;

namespace {

GORT_NOINLINE ptr<Node> makeKept() { return makeList(1000); }
GORT_NOINLINE void makeDropped() { runtime::KeepAlive(makeList(3000)); }

GORT_NOINLINE void parksHere(chan<int> c) { c.recv(); }
GORT_NOINLINE void parksThere(chan<int> c) { c.recv(); }

}  // namespace

TEST_CASE("heap") {
  withProfile(
      "profile",
      [] {
        runtime::MemProfileRate = 1;
        ptr<Node> kept = makeKept();
        makeDropped();
        runtime::GC();
        runtime::GC();
        writeProfile("heap", file);
        runtime::KeepAlive(kept);
      },
      [] {
        std::string top = tool("-top -cum -sample_index=inuse_objects -nodefraction=0", file);
        CHECK(lineOf(top, "main.makeKept").cum == 1000);
        top = tool("-top -cum -sample_index=alloc_space -unit=B -nodefraction=0", file);
        CHECK(lineOf(top, "main.makeKept").cum == 1000 * 1024);
        CHECK(lineOf(top, "main.makeDropped").cum == 3000 * 1024);
        CHECK(lineOf(top, "main.makeList").flat == 4000 * 1024);
        // What the runtime does to allocate is left out.
        CHECK(top.find("runtime.mallocgc") == top.npos);
        CHECK(tool("-raw", file).find("PeriodType: space bytes\nPeriod: 1\n") != top.npos);
        std::string lines = tool("-list=main.makeList", file);
        CHECK(lines.find("pprof_list.h") != lines.npos);
      });
}

TEST_CASE("allocs, sampled") {
  withProfile(
      "profile",
      [] {
        runtime::MemProfileRate = 16 << 10;
        for (int i = 0; i < 10; i++) makeDropped();
        runtime::GC();
        writeProfile("allocs", file);
      },
      [] {
        // 30,000 objects of 1 KiB: of about 1,820 samples, give or take 43.
        std::string top = tool("-top -cum -unit=B -nodefraction=0", file);
        double cum = lineOf(top, "main.makeDropped").cum;
        CHECK(cum > 0.85 * 30000 * 1024);
        CHECK(cum < 1.15 * 30000 * 1024);
      });
}

TEST_CASE("goroutine, with labels") {
  withProfile(
      "profile",
      [] {
        auto c = make_chan<int>();
        for (int i = 0; i < 7; i++) go(parksHere, c);
        pprof::Do(pprof::Labels("kind", "other"), [c] {
          for (int i = 0; i < 5; i++) go(parksThere, c);
        });
        waitReceivers(c, 12);
        writeProfile("goroutine", file);
      },
      [] {
        std::string top = tool("-top -cum -nodefraction=0", file);
        CHECK(top.find("of 13 total") != top.npos);
        CHECK(lineOf(top, "main.parksHere").cum == 7);
        CHECK(lineOf(top, "main.parksThere").cum == 5);
        CHECK(lineOf(top, "runtime.runtimemain").cum == 1);
        top = tool("-top -cum -tagfocus=kind=other -nodefraction=0", file);
        CHECK(lineOf(top, "main.parksThere").cum == 5);
        CHECK(lineOf(top, "main.parksHere").cum == -1);
      });
}

TEST_CASE("block and mutex") {
  withProfile(
      "profile",
      [] {
        runtime::SetBlockProfileRate(1);
        auto c = make_chan<int>();
        for (int i = 0; i < 4; i++) go(parksHere, c);
        waitReceivers(c, 4);
        time::Sleep(20 * time::Millisecond);
        // When all have gone on they have recorded it.
        auto* wg = make<sync::WaitGroup>();
        wg->Add(4);
        for (int i = 0; i < 4; i++) c.send(1);
        for (int i = 0; i < 4; i++)
          go([wg, c] {
            parksHere(c);
            wg->Done();
          });
        waitReceivers(c, 4);
        c.close();
        wg->Wait();
        while (runtime::NumGoroutine() > 1) runtime::Gosched();
        writeProfile("block", file);
      },
      [] {
        std::string top = tool("-top -cum -unit=us -nodefraction=0", file);
        CHECK(lineOf(top, "main.parksHere").cum >= 4 * 19800);
        CHECK(lineOf(top, "runtime.chanrecv").cum == -1);
        top = tool("-top -cum -sample_index=contentions -nodefraction=0", file);
        CHECK(lineOf(top, "main.parksHere").cum == 8);
      });
  withProfile(
      "profile",
      [] {
        runtime::SetMutexProfileFraction(1);
        auto* mu = make<sync::Mutex>();
        auto done = make_chan<int>();
        mu->Lock();
        startBlocked(runtime::waitReasonSyncMutexLock, [mu, done]() mutable {
          mu->Lock();
          mu->Unlock();
          done.send(1);
        });
        time::Sleep(20 * time::Millisecond);
        mu->Unlock();
        done.recv();
        writeProfile("mutex", file);
      },
      [] {
        std::string top = tool("-top -unit=us -nodefraction=0", file);
        CHECK(lineOf(top, "sync.(*Mutex).Unlock").flat >= 19800);
        CHECK(lineOf(top, "runtime.runtimemain").cum >= 19800);
      });
}

TEST_CASE("threadcreate, and a profile of the program's own") {
  withProfile(
      "profile",
      [] {
        runtime::LockOSThread();
        writeProfile("threadcreate", file);
      },
      [] {
        CHECK(tool("-raw", file).find("PeriodType: threadcreate count\n") != std::string::npos);
      });
  withProfile(
      "profile",
      [] {
        auto* p = pprof::NewProfile("connections");
        auto* a = make<int>(1);
        p->Add(a, 0);
        writeProfile("connections", file);
      },
      [] { CHECK(lineOf(tool("-top -cum", file), "runtime.runtimemain").cum == 1); });
}

TEST_CASE("text with debug 1 is read as well") {
  withProfile(
      "profile",
      [] {
        runtime::MemProfileRate = 1;
        ptr<Node> kept = makeKept();
        runtime::GC();
        int fd = open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
        CHECK_GO(!pprof::Lookup("heap")->WriteTo(fd, 1));
        ::close(fd);
        runtime::KeepAlive(kept);
      },
      [] {
        std::string raw = tool("-raw", file);
        CHECK(raw.find("objects/count space/bytes") != raw.npos);
        CHECK(raw.find("1000    1024000") != raw.npos);
      });
}
