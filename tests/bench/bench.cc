// Hot paths of the runtime, timed. The same cases, under the same names, are in go/main.go;
// compare.sh runs both in turn and prints ratios.
//
//   bench [--list] [--filter=TEXT] [--scale=F]
//
// One line a case: name, operations, ns per operation (bytes for memory cases). --scale multiplies
// the number of operations.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/go.h"
#include "runtime/os_linux.h"

using namespace gort;

namespace {

struct Options {
  const char* filter = "";
  double scale = 1;
  bool list = false;
};
Options opt;

using Body = void (*)(int n);

void report(const char* name, int n, double value, const char* unit) {
  runtime::cgocall([&] {
    std::printf("%-24s %10d %12.1f %s\n", name, n, value, unit);
    std::fflush(stdout);
  });
}

bool selected(const char* name) {
  if (opt.list) {
    runtime::cgocall([&] { std::puts(name); });
    return false;
  }
  return std::strstr(name, opt.filter) != nullptr;
}

void bench(const char* name, int n, Body body) {
  if (!selected(name)) return;
  n = static_cast<int>(n * opt.scale);
  if (n < 1) n = 1;
  body(n / 10 + 1);  // warm
  std::int64_t start = runtime::nanotime();
  body(n);
  report(name, n, static_cast<double>(runtime::nanotime() - start) / n, "ns/op");
}

void pingPong(int n) {
  auto a = make_chan<int>(), b = make_chan<int>();
  go([=] {
    for (int i = 0; i < n; i++) b.send(a.recv());
  });
  for (int i = 0; i < n; i++) {
    a.send(i);
    b.recv();
  }
}

void stream(int n, int buffer) {
  auto c = make_chan<int>(buffer);
  go([=] {
    for (int i = 0; i < n; i++) c.send(i);
    c.close();
  });
  int seen = 0;
  for (int v : c) seen += v >= 0;
  if (seen != n) std::abort();
}

void selectPingPong(int n) {
  auto a = make_chan<int>(), b = make_chan<int>(), never = make_chan<int>();
  go([=] {
    for (int i = 0; i < n; i++) {
      int v = 0;
      select(recv_case(a, v), recv_case(never));
      select(send_case(b, v), recv_case(never));
    }
  });
  for (int i = 0; i < n; i++) {
    int v = 0;
    select(send_case(a, i), recv_case(never));
    select(recv_case(b, v), recv_case(never));
  }
}

void select10(int n) {
  chan<int> c[10];
  for (auto& x : c) x = make_chan<int>(1);
  for (int i = 0; i < n; i++) {
    c[i % 10].send(i);
    int v = 0;
    select(recv_case(c[0], v), recv_case(c[1], v), recv_case(c[2], v), recv_case(c[3], v),
           recv_case(c[4], v), recv_case(c[5], v), recv_case(c[6], v), recv_case(c[7], v),
           recv_case(c[8], v), recv_case(c[9], v));
  }
}

void goschedAlone(int n) {
  for (int i = 0; i < n; i++) runtime::Gosched();
}

void goschedTwo(int n) {
  auto done = make_chan<int>();
  for (int k = 0; k < 2; k++)
    go([=] {
      for (int i = 0; i < n / 2; i++) runtime::Gosched();
      done.send(1);
    });
  done.recv();
  done.recv();
}

void ring(int n) {
  constexpr int nodes = 503;
  auto first = make_chan<int>();
  auto in = first;
  for (int i = 1; i < nodes; i++) {
    auto out = make_chan<int>();
    go([=] {
      for (int v : in) out.send(v - 1);
      out.close();
    });
    in = out;
  }
  auto last = in;
  int token = n;
  while (token > 0) {
    first.send(token);
    token = last.recv();
  }
  first.close();
}

void spawnJoin(int n) {
  constexpr int batch = 1000;
  for (int k = 0; k < (n + batch - 1) / batch; k++) {
    auto c = make_chan<int>(batch);
    for (int i = 0; i < batch; i++) go([=] { c.send(1); });
    for (int i = 0; i < batch; i++) c.recv();
  }
}

GORT_NOINLINE int grow(int n) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(n);
  return n == 0 ? frame[0] : grow(n - 1) + frame[0];
}

void stackGrowth(int n) {
  auto done = make_chan<int>();
  for (int i = 0; i < n; i++) {
    go([=] { done.send(grow(10)); });
    done.recv();
  }
}

void stackGrowthDeep(int n) {
  auto done = make_chan<int>();
  for (int i = 0; i < n; i++) {
    go([=] { done.send(grow(1000)); });
    done.recv();
  }
}

void mutexAlone(int n) {
  auto* mu = make<sync::Mutex>();
  for (int i = 0; i < n; i++) {
    mu->Lock();
    mu->Unlock();
  }
}

void mutexContended(int n) {
  auto* mu = make<sync::Mutex>();
  auto* wg = make<sync::WaitGroup>();
  for (int k = 0; k < 8; k++) {
    wg->Add(1);
    go([=] {
      for (int i = 0; i < n / 8; i++) {
        mu->Lock();
        mu->Unlock();
      }
      wg->Done();
    });
  }
  wg->Wait();
}

void nonblocking(int n) {
  auto c = make_chan<int>();
  for (int i = 0; i < n; i++) {
    int v = 0;
    select(recv_case(c, v), default_case);
  }
}

void deferCall(int n) {
  int x = 0;
  for (int i = 0; i < n; i++) func([&](auto& defer) { defer([&] { x++; }); });
  if (x != n) std::abort();
}

void panicRecover(int n) {
  for (int i = 0; i < n; i++)
    func([&](auto& defer) {
      defer([] { recover(); });
      panic(1);
    });
}

void filter(chan<int> in, chan<int> out, int prime) {
  for (int v : in)
    if (v % prime != 0) out.send(v);
  out.close();
}

void sieve(int n) {
  auto c = make_chan<int>();
  auto quit = make_chan<int>();
  go([=] {
    for (int i = 2;; i++)
      if (select(send_case(c, i), recv_case(quit)) == 1) break;
    c.close();
  });
  auto in = c;
  for (int i = 0; i < n; i++) {
    int prime = in.recv();
    auto out = make_chan<int>();
    go(filter, in, out, prime);
    in = out;
  }
  quit.close();
  for (int v : in) (void)v;
}

void timerStop(int n) {
  for (int i = 0; i < n; i++) time::NewTimer(time::Hour)->Stop();
}

long residentBytes() {
  long pages = 0, total = 0;
  std::FILE* f = std::fopen("/proc/self/statm", "r");
  if (f == nullptr || std::fscanf(f, "%ld %ld", &total, &pages) != 2) std::abort();
  std::fclose(f);
  return pages * 4096;
}

void parked() {
  if (!selected("parked goroutines")) return;
  int n = static_cast<int>(1000000 * opt.scale);
  auto c = make_chan<int>();
  auto* wg = make<sync::WaitGroup>();
  wg->Add(n);
  long before = 0, after = 0;
  runtime::cgocall([&] { before = residentBytes(); });
  std::int64_t start = runtime::nanotime();
  for (int i = 0; i < n; i++)
    go([=] {
      c.recv();
      wg->Done();
    });
  // Every goroutine is behind us in the queues: when we come back, they have run up to their recv.
  runtime::Gosched();
  report("park, create", n, static_cast<double>(runtime::nanotime() - start) / n, "ns/op");
  runtime::cgocall([&] { after = residentBytes(); });
  report("park, memory", n, static_cast<double>(after - before) / n, "bytes");
  start = runtime::nanotime();
  c.close();
  wg->Wait();
  report("park, wake and exit", n, static_cast<double>(runtime::nanotime() - start) / n, "ns/op");
}

// ---- memory ----

struct Small {
  ptr<Small> next;
  std::int64_t a = 0, b = 0, c = 0;
};
// What the compiler cannot prove unused: the last object of each kind.
ptr<Small> keepSmall;
slice<unsigned char> keepBytes;
ptr<std::int32_t> keepTiny;

void allocSmall(int n) {
  for (int i = 0; i < n; i++) keepSmall = make<Small>();
}
void allocNoscan(int n) {
  for (int i = 0; i < n; i++) keepBytes = make_slice<unsigned char>(64);
}
void allocTiny(int n) {
  for (int i = 0; i < n; i++) keepTiny = make<std::int32_t>(i);
}
void allocLarge(int n) {
  for (int i = 0; i < n; i++) keepBytes = make_slice<unsigned char>(64 << 10);
}
void allocParallel(int n) {
  auto done = make_chan<int>();
  for (int k = 0; k < 4; k++)
    go([=] {
      slice<ptr<Small>> last = make_slice<ptr<Small>>(16);
      for (int i = 0; i < n / 4; i++) last[i % 16] = make<Small>();
      done.send(static_cast<int>(last.len()));
    });
  for (int k = 0; k < 4; k++) done.recv();
}

struct Tree {
  ptr<Tree> left, right;
};
Tree* bottomUp(int depth) {
  if (depth <= 0) return make<Tree>();
  Tree* l = bottomUp(depth - 1);
  return make<Tree>(l, bottomUp(depth - 1));
}
int itemCheck(const Tree* t) {
  return t->left == nullptr ? 1 : 1 + itemCheck(t->left) + itemCheck(t->right);
}
// One tree of depth 16 is kept; n trees of depth 10 come and go.
void binaryTrees(int n) {
  Tree* kept = bottomUp(16);
  int check = 0;
  for (int i = 0; i < n; i++) check += itemCheck(bottomUp(10));
  if (check != n * 2047 || itemCheck(kept) != 131071) std::abort();
}

void readMemStats(int n) {
  auto* m = make<runtime::MemStats>();
  for (int i = 0; i < n; i++) runtime::ReadMemStats(m);
}

void gcForced(int n) {
  for (int i = 0; i < n; i++) runtime::GC();
}

// Collections while 10,000 goroutines are parked, and how long the world stood still in them.
void gcGoroutines() {
  if (!selected("GC, 10,000 goroutines")) return;
  int n = static_cast<int>(100 * opt.scale) + 1;
  auto c = make_chan<int>();
  for (int i = 0; i < 10000; i++) go([=] { c.recv(); });
  runtime::Gosched();
  auto* m = make<runtime::MemStats>();
  runtime::ReadMemStats(m);
  std::uint64_t paused = m->PauseTotalNs;
  std::int64_t start = runtime::nanotime();
  for (int i = 0; i < n; i++) runtime::GC();
  report("GC, 10,000 goroutines", n, static_cast<double>(runtime::nanotime() - start) / n, "ns/op");
  runtime::ReadMemStats(m);
  report("GC, 10,000 gor., pauses", n, static_cast<double>(m->PauseTotalNs - paused) / n, "ns/op");
  c.close();
}

// The pauses of the cycles of a program that allocates with a heap of 32 MiB.
void gcPauses() {
  if (!selected("GC pauses")) return;
  int n = static_cast<int>(200 * opt.scale) + 1;
  Tree* kept = bottomUp(19);
  auto* m = make<runtime::MemStats>();
  runtime::ReadMemStats(m);
  std::uint64_t paused = m->PauseTotalNs;
  std::uint32_t cycles = m->NumGC;
  for (int i = 0; i < n * 100; i++) bottomUp(10);
  runtime::ReadMemStats(m);
  std::uint32_t k = m->NumGC - cycles;
  report("GC pauses, a cycle", static_cast<int>(k),
         k == 0 ? 0 : static_cast<double>(m->PauseTotalNs - paused) / k, "ns/op");
  if (itemCheck(kept) == 0) std::abort();
}

void usage() {
  std::puts(
      "usage: bench [--list] [--filter=TEXT] [--scale=F]\n"
      "  --list         names of the cases\n"
      "  --filter=TEXT  only cases whose name contains TEXT\n"
      "  --scale=F      F times the usual number of operations");
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    if (std::strcmp(argv[i], "--list") == 0) {
      opt.list = true;
    } else if (std::strncmp(argv[i], "--filter=", 9) == 0) {
      opt.filter = argv[i] + 9;
    } else if (std::strncmp(argv[i], "--scale=", 8) == 0 && std::atof(argv[i] + 8) > 0) {
      opt.scale = std::atof(argv[i] + 8);
    } else {
      bool help = std::strcmp(argv[i], "--help") == 0;
      if (!help) std::fprintf(stderr, "bench: unknown argument %s\n", argv[i]);
      usage();
      return help ? 0 : 2;
    }
  }
  return Main(argc, argv, [] {
    bench("ping-pong", 1000000, pingPong);
    bench("channel, unbuffered", 2000000, [](int n) { stream(n, 0); });
    bench("channel, buffer 128", 5000000, [](int n) { stream(n, 128); });
    bench("channel, empty poll", 20000000, nonblocking);
    bench("select 2, ping-pong", 500000, selectPingPong);
    bench("select 10", 2000000, select10);
    bench("Gosched alone", 5000000, goschedAlone);
    bench("Gosched of two", 5000000, goschedTwo);
    bench("ring of 503, hop", 2000000, ring);
    bench("spawn and join", 1000000, spawnJoin);
    bench("stack growth, 10 KiB", 200000, stackGrowth);
    bench("stack growth, 1 MiB", 1000, stackGrowthDeep);
    bench("Mutex alone", 20000000, mutexAlone);
    bench("Mutex of eight", 8000000, mutexContended);
    bench("defer", 10000000, deferCall);
    bench("panic and recover", 1000000, panicRecover);
    bench("sieve, a prime", 1000, sieve);
    bench("NewTimer and Stop", 1000000, timerStop);
    bench("alloc 32 B, pointers", 20000000, allocSmall);
    bench("alloc 64 B, no pointers", 20000000, allocNoscan);
    bench("alloc tiny", 50000000, allocTiny);
    bench("alloc 64 KiB", 200000, allocLarge);
    bench("alloc 32 B, 4 goroutines", 20000000, allocParallel);
    bench("binary trees, a tree", 4000, binaryTrees);
    bench("ReadMemStats", 20000, readMemStats);
    bench("GC", 500, gcForced);
    gcGoroutines();
    gcPauses();
    parked();
  });
}
