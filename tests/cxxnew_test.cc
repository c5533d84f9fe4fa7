// operator new and delete: every block is registered with the collector from new to delete, whoever
// calls them, and what is only in std:: containers stays alive.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/cxxnew.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;
namespace rt = gort::runtime;

namespace {

struct Found {
  rt::uintptr p, size;
  int times;
};

// How often the collector would look at a block at p, and how large that is.
Found find(const void* p) {
  Found f{reinterpret_cast<rt::uintptr>(p), 0, 0};
  rt::systemstack([&] {
    for (std::uint32_t s = 0; s < rt::cxxRootShards; s++)
      rt::markCxxRoots(
          s,
          [](rt::uintptr b, rt::uintptr n, void* arg) {
            auto* f = static_cast<Found*>(arg);
            if (b != f->p) return;
            f->times++;
            f->size = n;
          },
          &f);
  });
  return f;
}

bool isZero(const void* p, std::size_t n) {
  for (std::size_t i = 0; i < n; i++)
    if (static_cast<const char*>(p)[i] != 0) return false;
  return true;
}

// New memory of size bytes at p is as it has to be; makes it dirty for whoever gets it next.
void checkNew(void* p, std::size_t size, std::size_t align) {
  CHECK_GO(p != nullptr && reinterpret_cast<rt::uintptr>(p) % align == 0);
  CHECK_GO(isZero(p, size));
  for (std::size_t i = 0; i < size; i++) static_cast<char*>(p)[i] = 0x5a;
  Found f = find(p);
  CHECK_GO(f.times == (size >= 8 ? 1 : 0) && f.size == size / 8 * 8);
}

void allForms() {
  for (int round = 0; round < 2; round++)
    for (std::size_t n : {1, 7, 8, 24, 100, 1000, 70000}) {
      void* p = ::operator new(n);
      checkNew(p, n, 16);
      ::operator delete(p);
      CHECK_GO(find(p).times == 0);
      p = ::operator new[](n, std::nothrow);
      checkNew(p, n, 16);
      ::operator delete[](p, n);
      CHECK_GO(find(p).times == 0);
      for (std::size_t a : {8, 16, 32, 64, 4096}) {
        p = ::operator new(n, std::align_val_t(a));
        checkNew(p, n, a);
        ::operator delete(p, n, std::align_val_t(a));
        CHECK_GO(find(p).times == 0);
        p = ::operator new[](n, std::align_val_t(a), std::nothrow);
        checkNew(p, n, a);
        ::operator delete[](p, std::align_val_t(a));
        CHECK_GO(find(p).times == 0);
      }
    }
}

struct Node {
  int value;
  ptr<Node> next;
};

// Before Main there is no goroutine and no runtime.
std::vector<Node*> early(3);
auto* earlyMap = new std::map<int, Node*>{{1, nullptr}};

}  // namespace

GORT_TEST("all forms of new and delete, on a goroutine") { allForms(); }

TEST_CASE("all forms of new and delete, without a runtime") { allForms(); }

GORT_TEST("all forms of new and delete, on the system stack and on a thread of the program's") {
  rt::systemstack([] { allForms(); });
  runtime::cgocall([] {
    std::thread t(allForms);
    t.join();
  });
}

GORT_TEST("null and empty") {
  ::operator delete(nullptr);
  delete static_cast<Node*>(nullptr);
  void* a = ::operator new(0);
  void* b = ::operator new(0);
  CHECK_GO(a != nullptr && b != nullptr && a != b);
  ::operator delete(a);
  ::operator delete(b);
}

GORT_TEST("the sum of all blocks comes back to what it was") {
  auto done = make_chan<bool>();
  auto churn = [=] {
    auto* m = new std::unordered_map<int, std::vector<int>>;
    for (int i = 0; i < 300; i++) (*m)[i % 50].resize(static_cast<std::size_t>(i));
    delete m;
    done.send(true);
  };
  rt::uintptr before = rt::cxxRootBytes();
  for (int g = 0; g < 4; g++) go(churn);
  for (int g = 0; g < 4; g++) done.recv();
  CHECK_GO(rt::cxxRootBytes() == before);
}

GORT_TEST("blocks go from thread to thread") {
  auto c = make_chan<std::unique_ptr<std::vector<int>>>(16);
  auto done = make_chan<bool>();
  constexpr int n = 2000;
  for (int g = 0; g < 3; g++) {
    go([=] {
      for (int i = 0; i < n; i++)
        c.send(std::make_unique<std::vector<int>>(static_cast<std::size_t>(i % 99 + 1), i));
      done.send(true);
    });
    go([=] {
      for (int i = 0; i < n; i++) {
        auto v = c.recv();
        CHECK_GO(v->front() == v->back() &&
                 v->size() == static_cast<std::size_t>(v->back()) % 99 + 1);
      }
      done.send(true);
    });
  }
  for (int g = 0; g < 6; g++) done.recv();
}

// The objects are made on a goroutine that has ended, so that no stack has their addresses.
GORT_TEST("objects that are only in std:: containers survive collections") {
  static std::vector<ptr<Node>> vec;
  static std::map<int, slice<int>>* map;
  static std::function<int()> fn;
  constexpr int n = 1000;
  auto done = make_chan<bool>();
  go([=] {
    map = new std::map<int, slice<int>>;
    for (int i = 0; i < n; i++) {
      vec.push_back(make<Node>(i, make<Node>(-i)));
      (*map)[i] = slice<int>{i, i + 1};
      early[static_cast<std::size_t>(i) % 3] = make<Node>(i);
    }
    (*earlyMap)[1] = make<Node>(1234);
    auto* captured = make<Node>(99, make<Node>(100));
    fn = [captured, pad = std::array<long, 4>{}] {
      return captured->next->value + static_cast<int>(pad[0]);
    };
    done.send(true);
  });
  done.recv();
  for (int round = 0; round < 3; round++) {
    runtime::GC();
    go([=] {
      for (int i = 0; i < 20000; i++) make<Node>(-1)->value--;  // would be put in their places
      done.send(true);
    });
    done.recv();
  }
  for (int i = 0; i < n; i++) {
    auto at = static_cast<std::size_t>(i);
    CHECK_GO(vec[at]->value == i && vec[at]->next->value == -i && (*map)[i][1] == i + 1);
  }
  for (int i = n - 3; i < n; i++) CHECK_GO(early[static_cast<std::size_t>(i) % 3]->value == i);
  CHECK_GO((*earlyMap)[1]->value == 1234 && fn() == 100);
}

GORT_TEST("memory that finalizers free does not raise the goal") {
  struct Owner {
    std::vector<int> v;
  };
  std::uint64_t goal = 0;
  for (int i = 0; i < 20000; i++) {
    auto* o = make<Owner>();
    o->v.resize(300);
    rt::SetFinalizer(o, [](Owner* p) { p->~Owner(); });
    if (i % 2000 != 0) continue;
    rt::GC();
    auto* m = make<rt::MemStats>();
    rt::ReadMemStats(m);
    goal = m->NextGC;
  }
  CHECK_GO(goal < 16 << 20);
}

#if !GORT_TSAN  // whose malloc ends the program
TEST_CASE("delete of a collected object") {
  Result r = run_go([] { delete make<int>(1); });
  INFO(r.str());
  CHECK(r.status == 2);
  CHECK(r.has("fatal error: operator delete of collected memory\n"));
}

TEST_CASE("no memory") {
  constexpr std::size_t huge = std::size_t(1) << 60;
  Result r = run_go([] {
    CHECK_GO(::operator new(huge, std::nothrow) == nullptr);
    CHECK_GO(::operator new(huge, std::align_val_t(64), std::nothrow) == nullptr);
    CHECK_GO(::operator new(~std::size_t(0), std::nothrow) == nullptr);
  });
  INFO(r.str());
  CHECK(r.status == 0);
  r = run_go([] { find(::operator new(huge)); });
  INFO(r.str());
  CHECK(r.status == 2);
  CHECK(r.has("fatal error: operator new: out of memory\n"));
}
#endif

#if GORT_TSAN
TEST_CASE("TSan sees races in the memory of std:: containers") {
  auto program = [] {
    auto* v = new std::vector<int>(10);
    auto done = make_chan<bool>();
    for (int g = 0; g < 2; g++)
      go([=] {
        runtime::LockOSThread();
        for (int i = 0; i < 1000; i++) {
          (*v)[5]++;
          delete new int;  // does not order the two
        }
        done.send(true);
      });
    done.recv();
    done.recv();
  };
  // Unless the kernel lets one run to its end before the other begins: then the runtime's locks order
  // them.
  Result r;
  for (int i = 0; i < 40 && r.status != 66; i++) r = run_go(program, {{"GOMAXPROCS", "4"}});
  INFO(r.str());
  CHECK(r.status == 66);
  CHECK(r.has("WARNING: ThreadSanitizer: data race"));
  CHECK(r.has("Location is heap block of size"));
}

TEST_CASE("TSan sees the use of deleted memory") {
  Result r = run_go([] {
    auto* p = new int(1);
    auto* volatile q = p;
    delete p;
    *q = 2;
  });
  INFO(r.str());
  CHECK(r.status == 66);
  CHECK(r.has("heap-use-after-free"));
}
#endif
