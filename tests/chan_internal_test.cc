// Parts of the channels' implementation by themselves: wait queues, sudog caches, type descriptors.
#include <array>
#include <set>
#include <vector>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;
using runtime::sudog;
using runtime::waitq;

namespace {

std::array<sudog, 6> sgs;
waitq q;

struct three {
  char a, b, c;
};

sudog* sg(int i) { return &sgs[static_cast<std::size_t>(i)]; }

// The queue forwards and backwards is exactly this.
void checkQueue(std::initializer_list<int> want) {
  sudog* prev = nullptr;
  sudog* s = q.first.LoadRelaxed();
  for (int i : want) {
    CHECK_GO(s == sg(i) && s->prev == prev);
    prev = s;
    s = s->next;
  }
  CHECK_GO(s == nullptr && q.last == prev);
}
void fill() {
  for (auto& s : sgs) q.enqueue(&s);
}

}  // namespace

GORT_TEST("waitq: first in, first out") {
  checkQueue({});
  CHECK_GO(q.dequeue() == nullptr);
  fill();
  checkQueue({0, 1, 2, 3, 4, 5});
  for (int i = 0; i < 6; i++) {
    CHECK_GO(q.dequeue() == sg(i));
    CHECK_GO(sg(i)->next == nullptr && sg(i)->prev == nullptr);
  }
  checkQueue({});
  CHECK_GO(q.dequeue() == nullptr);
}

GORT_TEST("waitq: from the middle, the front and the end") {
  fill();
  q.dequeueSudoG(sg(2));
  checkQueue({0, 1, 3, 4, 5});
  q.dequeueSudoG(sg(0));
  checkQueue({1, 3, 4, 5});
  q.dequeueSudoG(sg(5));
  checkQueue({1, 3, 4});
  // Those that are off it already: the queue stays.
  for (int i : {0, 2, 5}) q.dequeueSudoG(sg(i));
  checkQueue({1, 3, 4});
  CHECK_GO(q.dequeue() == sg(1));
  q.dequeueSudoG(sg(1));
  checkQueue({3, 4});
  q.enqueue(sg(0));
  checkQueue({3, 4, 0});
  for (int i : {3, 0, 4}) q.dequeueSudoG(sg(i));
  checkQueue({});
  q.dequeueSudoG(sg(4));
  checkQueue({});
  for (auto& s : sgs) CHECK_GO(s.next == nullptr && s.prev == nullptr);
}

// Of a select that somebody has woken already no other sudog is handed out.
GORT_TEST("waitq: dequeue passes over selects that are decided") {
  auto* won = new runtime::g();
  auto* open = new runtime::g();
  won->selectDone.Store(1);
  for (int i : {0, 1, 3}) {
    sg(i)->isSelect = true;
    sg(i)->g = won;
  }
  for (int i : {4, 5}) {
    sg(i)->isSelect = true;
    sg(i)->g = open;
  }
  fill();
  CHECK_GO(q.dequeue() == sg(2));
  CHECK_GO(q.dequeue() == sg(4));
  CHECK_GO(open->selectDone.Load() == 1);
  // The same goroutine's second one.
  CHECK_GO(q.dequeue() == nullptr);
  checkQueue({});
}

namespace {

int centralSudogs() {
  int n = 0;
  runtime::lock(&runtime::sched.sudoglock);
  for (sudog* s = runtime::sched.sudogcache; s != nullptr; s = s->next) n++;
  runtime::unlock(&runtime::sched.sudoglock);
  return n;
}

}  // namespace

// A P keeps up to sudogcachecap; half of them go to the central list when one more comes back, and
// half of that many are fetched from there at a time. Records are used again before new ones are
// made.
GORT_TEST("acquireSudog and releaseSudog: the P's cache and the central one") {
  using runtime::sudogcachecap;
  constexpr int n = 3 * sudogcachecap + 7;
  // On one P throughout; nobody else runs.
  runtime::m* mp = runtime::acquirem();
  runtime::p* pp = mp->p;
  std::vector<sudog*> s(n);
  for (auto& p : s) {
    p = runtime::acquireSudog();
    CHECK_GO(p->elem == nullptr && p->next == nullptr && p->c == nullptr);
  }
  CHECK_GO(std::set<sudog*>(s.begin(), s.end()).size() == n);
  // The P's first ones may be left over; make the start known.
  std::vector<sudog*> rest;
  while (pp->sudogcachelen > 0) rest.push_back(runtime::acquireSudog());
  int central = centralSudogs();

  int spills = 0;
  for (int i = 0, had = 0; i < n; i++) {
    runtime::releaseSudog(s[static_cast<std::size_t>(i)]);
    int have = pp->sudogcachelen;
    CHECK_GO(have <= sudogcachecap);
    if (had == sudogcachecap) {
      CHECK_GO(have == sudogcachecap / 2 + 1);
      spills++;
    } else {
      CHECK_GO(have == had + 1);
    }
    had = have;
  }
  CHECK_GO(spills == (n - sudogcachecap + sudogcachecap / 2 - 1) / (sudogcachecap / 2));
  CHECK_GO(centralSudogs() - central + pp->sudogcachelen == n);

  std::set<sudog*> again;
  for (int i = 0; i < n; i++) {
    int had = pp->sudogcachelen;
    again.insert(runtime::acquireSudog());
    int have = pp->sudogcachelen;
    CHECK_GO(had > 0 ? have == had - 1 : have <= sudogcachecap / 2 - 1);
  }
  CHECK_GO(again.size() == n);
  if (central == 0)
    for (sudog* p : s) CHECK_GO(again.count(p) == 1);
  CHECK_GO(centralSudogs() + pp->sudogcachelen == central);
  for (sudog* p : again) runtime::releaseSudog(p);
  for (sudog* p : rest) runtime::releaseSudog(p);
  runtime::releasem(mp);
}

TEST_CASE("releaseSudog: a record that is still in use is refused") {
  struct {
    void (*spoil)(sudog*);
    const char* text;
  } const cases[] = {
      {[](sudog* s) { s->elem = s; }, "fatal error: runtime: sudog with non-nil elem"},
      {[](sudog* s) { s->isSelect = true; }, "fatal error: runtime: sudog with non-false isSelect"},
      {[](sudog* s) { s->next = s; }, "fatal error: runtime: sudog with non-nil next"},
      {[](sudog* s) { s->prev = s; }, "fatal error: runtime: sudog with non-nil prev"},
      {[](sudog* s) { s->waitlink = s; }, "fatal error: runtime: sudog with non-nil waitlink"},
      {[](sudog* s) { s->c = make_chan<int>().raw(); },
       "fatal error: runtime: sudog with non-nil c"},
      {[](sudog* s) { runtime::getg()->param = s; },
       "fatal error: runtime: releaseSudog with non-nil gp.param"},
  };
  for (auto& k : cases) {
    Result r = run_go([&k] {
      sudog* s = runtime::acquireSudog();
      k.spoil(s);
      runtime::releaseSudog(s);
    });
    CHECK_MESSAGE(r.status == 2, r.str());
    CHECK_MESSAGE(r.has(k.text), r.str());
  }
}

// After a receive by select nothing of the operation is left in the goroutine.
GORT_TEST("a goroutine that was woken is clean") {
  auto c = make_chan<int>();
  auto d = make_chan<int>();
  for (int i = 0; i < 50; i++) {
    go([=] { c.send(1); });
    int v = 0;
    if (i % 2 == 0)
      v = c.recv();
    else
      select(recv_case(c, v), recv_case(d, v), send_case(d, 1));
    runtime::g* gp = runtime::getg();
    CHECK_GO(v == 1 && gp->waiting == nullptr && gp->param == nullptr);
    CHECK_GO(!gp->activeStackChans && !gp->parkingOnChan.Load() && gp->selectDone.Load() == 0);
    CHECK_GO(receivers(d) == 0 && senders(d) == 0);
  }
}

// Descriptors: one for each type, and a channel's element without members takes no room.
GORT_TEST("element types") {
  struct none {};
  CHECK_GO(make_chan<none>(3).raw()->elemsize == 0);
  CHECK_GO(make_chan<char>(3).raw()->elemsize == 1);
  CHECK_GO(make_chan<std::string>(3).raw()->elemsize == sizeof(std::string));
  CHECK_GO(make_chan<std::string>(3).raw()->ops != nullptr);
  CHECK_GO(make_chan<chan<std::string>>(3).raw()->ops == nullptr);
  CHECK_GO(make_chan<gort::string>().raw()->ops == nullptr);
  CHECK_GO(make_chan<int>().raw()->elemtype == make_chan<int>(9).raw()->elemtype);
  CHECK_GO(make_chan<int>().raw()->elemtype != make_chan<unsigned>().raw()->elemtype);
  struct alignas(16) wide {
    char c[16];
  };
  CHECK_GO(reinterpret_cast<std::uintptr_t>(make_chan<wide>(3).raw()->buf) % 16 == 0);
}

// The runtime's own functions, which other compilers call, clear what a closed channel "yields".
GORT_TEST("chanrecv and selectgo: a closed channel clears the element") {
  using namespace gort::runtime;
  auto c = make_chan<long>();
  auto pair = make_chan<three>();
  auto done = make_chan<bool>();
  go([=] {
    long v = 77;
    CHECK_GO(!chanrecv2(c.raw(), &v) && v == 0);
    done.send(true);
  });
  go([=] {
    three v{1, 2, 3};
    CHECK_GO(!chanrecv2(pair.raw(), &v) && v.a == 0 && v.b == 0 && v.c == 0);
    done.send(true);
  });
  go([=] {
    long v = 77, w = 78;
    scase cases[] = {{make_chan<long>().raw(), &w}, {c.raw(), &v}};
    std::uint16_t order[4];
    auto [chosen, recvOK] = selectgo(cases, order, 0, 2, true);
    CHECK_GO(chosen == 1 && !recvOK && v == 0 && w == 78);
    done.send(true);
  });
  waitReceivers(c, 2);
  waitReceivers(pair, 1);
  c.close();
  pair.close();
  for (int i = 0; i < 3; i++) done.recv();
  long v = 77;
  CHECK_GO(!chanrecv2(c.raw(), &v) && v == 0);
  v = 77;
  auto r = chanrecv(c.raw(), &v, false);
  CHECK_GO(r.selected && !r.received && v == 0);
  v = 77;
  scase cases[] = {{nullptr, nullptr}, {c.raw(), &v}};
  std::uint16_t order[4];
  auto s = selectgo(cases, order, 0, 2, false);
  CHECK_GO(s.chosen == 1 && !s.recvOK && v == 0);
  chanrecv1(c.raw(), nullptr);
}
