// Cycles in the wait-for graph, and how they are shown.

#include "chaos/waitfor.h"

#include <doctest/doctest.h>

using namespace gort::chaos;

namespace {

Waiter Waits(std::int64_t m, std::string lock, std::int64_t holder) {
  Waiter w;
  w.m = m;
  w.thread = 100 + m;
  w.goroutine = 10 + m;
  w.wanted = std::move(lock);
  w.holder = holder;
  w.takenIn = {"runtime.take", "take.cc:1"};
  w.stack = {{"runtime.lock2", "lock_futex.cc:1"}, {"runtime.want", "want.cc:2"}};
  return w;
}

}  // namespace

TEST_CASE("no cycle") {
  CHECK(FindCycle({}).empty());
  CHECK(FindCycle({Waits(1, "a", 2)}).empty());   // M2 waits for nothing
  CHECK(FindCycle({Waits(1, "a", -1)}).empty());  // nobody known holds it
  CHECK(FindCycle({Waits(1, "a", 2), Waits(2, "b", 3), Waits(4, "a", 2)}).empty());
}

TEST_CASE("a thread that waits for itself") {
  CHECK(FindCycle({Waits(1, "a", 2), Waits(5, "b", 5)}) == std::vector<std::size_t>{1});
}

TEST_CASE("a ring of three, with others in front of it") {
  const auto cycle =
      FindCycle({Waits(9, "a", 1), Waits(1, "b", 2), Waits(2, "c", 3), Waits(3, "d", 1)});
  CHECK(cycle == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("the function that asked for the lock is outside it") {
  CHECK(OutsideLock(Waits(1, "a", 1).stack).function == "runtime.want");
  CHECK(OutsideLock({}).function.empty());
}

TEST_CASE("a thread alone is drawn with its lock") {
  CHECK(DrawCycle({Waits(0, "allglock", 0)}) ==
        "M0 (goroutine 10) <----------------------------------+\n"
        " |  waits for the lock in runtime.want, want.cc:2    |\n"
        " v                                                   |\n"
        "[allglock]                                           |\n"
        " |  taken in runtime.take, take.cc:1                 |\n"
        " |  held by                                          |\n"
        " +---------------------------------------------------+\n");
}

TEST_CASE("two threads are drawn in turn") {
  const std::string picture = DrawCycle({Waits(1, "a", 2), Waits(2, "b", 1)});
  CHECK(picture.find("M1 (goroutine 11) <--") == 0);
  CHECK(picture.find("\n v  held by") != std::string::npos);
  CHECK(picture.find("\nM2 (goroutine 12) ") != std::string::npos);
  CHECK(picture.find("\n[b]") > picture.find("\n[a]"));
}

// A ragged barrier waits for a P, and who runs on it for the goroutine that asked for the barrier.
TEST_CASE("waits that are no locks") {
  Waiter barrier = Waits(1, "P 2", 2);
  barrier.kind = Waiter::kP;
  barrier.stack = {{"runtime.forEachPInternal", "proc_stw.cc:1"}};
  Waiter marker = Waits(2, "goroutine 11", 1);
  marker.kind = Waiter::kGoroutine;
  marker.stack = {{"runtime.suspendG", ""}, {"runtime.markrootStack", "mgcroots.cc:1"}};
  CHECK(FindCycle({barrier, marker}).size() == 2);
  const std::string picture = DrawCycle({barrier, marker});
  CHECK(picture.find("\n[P 2] ") != std::string::npos);
  CHECK(picture.find("\n v  run by ") < picture.find("\nM2 (goroutine 12) "));
  CHECK(picture.find("waits until it can stop it, in runtime.markrootStack, mgcroots.cc:1 ") !=
        std::string::npos);
  const std::string words = DescribeCycle({barrier, marker});
  CHECK(words.find("waits until P 2 has passed a safe point in runtime.forEachPInternal") !=
        std::string::npos);
  CHECK(words.find("M1 runs it, and does not let go of it.\n") != std::string::npos);
}

TEST_CASE("in words") {
  const std::string words = DescribeCycle({Waits(1, "a", 2), Waits(2, "b", 1)});
  CHECK(words.find("M1 (goroutine 11), thread 101, waits for a in runtime.want, want.cc:2;\n"
                   "M2 holds it, taken in runtime.take, take.cc:1.\n"
                   "stack of M1:\n"
                   "  runtime.lock2  lock_futex.cc:1\n") == 0);
  CHECK(DescribeCycle({Waits(3, "a", 3)}).find("M3 itself holds it") != std::string::npos);
}
