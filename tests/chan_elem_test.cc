// Every kind of element through every way that a value can take: buffered, from a parked sender, to a
// parked receiver, by select, dropped, and left in a closed channel; with stacks that move under it.
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "tests/chan_wait.h"

using namespace gort;
using namespace gort::test;

namespace {

// Knows where it is, and how many of it there are.
struct tracked {
  static std::atomic<int> live;
  int id = 0;
  int check = ~0;
  tracked() { live++; }
  explicit tracked(int i) : id(i), check(~i) { live++; }
  tracked(tracked&& o) noexcept : id(o.id), check(o.check) {
    CHECK_GO(o.check == ~o.id);
    o.id = -1, o.check = ~-1;
    live++;
  }
  tracked& operator=(tracked&& o) noexcept {
    CHECK_GO(check == ~id && o.check == ~o.id);
    id = o.id, check = o.check;
    o.id = -1, o.check = ~-1;
    return *this;
  }
  ~tracked() {
    CHECK_GO(check == ~id);
    check = id;
    live--;
  }
  bool operator==(const tracked& o) const { return id == o.id && check == o.check; }
};
std::atomic<int> tracked::live{0};

struct empty {
  bool operator==(const empty&) const = default;
};
struct three {
  char a = 0, b = 0, c = 0;
  bool operator==(const three&) const = default;
};
struct pair {
  long n = 0;
  double d = 0;
  bool operator==(const pair&) const = default;
};
struct alignas(16) aligned {
  std::array<char, 48> bytes{};
  bool operator==(const aligned& o) const {
    return bytes == o.bytes && reinterpret_cast<std::uintptr_t>(this) % 16 == 0;
  }
};
template <std::size_t N>
struct block {
  std::array<unsigned char, N> bytes{};
  bool operator==(const block&) const = default;
};

// gen<T>::at(i) is the i-th value; different ones for different small i, except for empty.
template <class T>
struct gen {
  static T at(int i) { return static_cast<T>(i + 1); }
};
template <>
struct gen<bool> {
  static bool at(int i) { return i % 2 == 0; }
};
template <>
struct gen<tracked> {
  static tracked at(int i) { return tracked(i + 1); }
};
template <>
struct gen<empty> {
  static empty at(int) { return {}; }
};
template <>
struct gen<three> {
  static three at(int i) {
    return {static_cast<char>(i + 1), static_cast<char>(i + 2), static_cast<char>(i + 3)};
  }
};
template <>
struct gen<pair> {
  static pair at(int i) { return {i + 1, i + 0.5}; }
};
template <>
struct gen<aligned> {
  static aligned at(int i) {
    aligned a;
    a.bytes.fill(static_cast<char>(i + 1));
    return a;
  }
};
template <std::size_t N>
struct gen<block<N>> {
  static block<N> at(int i) {
    block<N> b;
    for (std::size_t k = 0; k < N; k++)
      b.bytes[k] = static_cast<unsigned char>(k * 7 + k / 251 + 1);
    b.bytes[N / 2] = b.bytes[N - 1] = static_cast<unsigned char>(i);
    return b;
  }
};
template <>
struct gen<std::string> {
  // Short ones point into themselves, long ones to the heap.
  static std::string at(int i) {
    return i % 2 == 0 ? "s" + std::to_string(i) : std::string(50, 'l') + std::to_string(i);
  }
};
template <>
struct gen<gort::string> {
  static gort::string at(int i) { return gen<std::string>::at(i); }
};
template <>
struct gen<std::vector<std::string>> {
  static std::vector<std::string> at(int i) {
    return {gen<std::string>::at(i), gen<std::string>::at(i + 1)};
  }
};
template <>
struct gen<std::unique_ptr<int>> {
  static std::unique_ptr<int> at(int i) { return std::make_unique<int>(i + 1); }
};

template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}
bool same(const std::unique_ptr<int>& a, const std::unique_ptr<int>& b) {
  return (a == nullptr) == (b == nullptr) && (a == nullptr || *a == *b);
}
template <class T>
bool is(const T& v, int i) {
  return same(v, gen<T>::at(i));
}

template <class T>
GORT_NOINLINE void plain(int size, int n) {
  auto c = make_chan<T>(size);
  go([=] {
    for (int i = 0; i < n; i++) c.send(gen<T>::at(i));
    c.close();
  });
  for (int i = 0; i < n; i += 2) {
    CHECK_GO(is(c.recv(), i));
    if (i + 1 == n) break;
    auto [v, ok] = c.recv_ok();
    CHECK_GO(ok && is(v, i + 1));
  }
  CHECK_GO(same(c.recv(), T{}));
  auto [v, ok] = c.recv_ok();
  CHECK_GO(!ok && same(v, T{}));
}

// The sender waits with its value on its stack: taken by receive, by select, dropped, by range.
template <class T>
GORT_NOINLINE void fromParked(int size) {
  auto c = make_chan<T>(size);
  auto never = make_chan<T>(), nobody = make_chan<T>();
  for (int i = 0; i < size; i++) c.send(gen<T>::at(i));
  for (int i = size; i < size + 5; i++) {
    go([=] {
      if (i % 2 == 0)
        c.send(gen<T>::at(i));
      else
        CHECK_GO(select(send_case(nobody, gen<T>::at(99)), send_case(c, gen<T>::at(i))) == 1);
    });
    waitSenders(c, i - size + 1);
  }
  int i = 0;
  CHECK_GO(is(c.recv(), i++));
  T v = gen<T>::at(7);
  bool ok = false;
  CHECK_GO(select(recv_case(never), recv_case(c, v, ok)) == 1 && ok && is(v, i++));
  CHECK_GO(select(recv_case(c)) == 0);
  i++;
  CHECK_GO(select(recv_case(c, v, ok), default_case) == 0 && ok && is(v, i++));
  CHECK_GO(senders(c) == 1 && len(c) == size);
  for (T& w : c) {
    CHECK_GO(is(w, i++));
    if (i == size + 5) break;
  }
  CHECK_GO(senders(c) == 0 && len(c) == 0);
}

// The receiver waits with room for the value on its stack.
template <class T>
GORT_NOINLINE void toParked(int size) {
  auto c = make_chan<T>(size);
  auto never = make_chan<T>();
  auto done = make_chan<bool>();
  for (int i = 0; i < 4; i++) {
    go([=] {
      T v = gen<T>::at(7);
      bool ok = i != 3;
      if (i == 0)
        v = c.recv();
      else if (i == 1)
        CHECK_GO(select(recv_case(c, v)) == 0);
      else
        CHECK_GO(select(recv_case(never, v), recv_case(c, v, ok)) == 1);
      CHECK_GO(ok && is(v, i));
      done.send(true);
    });
    waitReceivers(c, 1);
    if (i % 2 == 0)
      c.send(gen<T>::at(i));
    else
      CHECK_GO(select(send_case(c, gen<T>::at(i)), default_case) == 0);
    done.recv();
  }
}

// A value that was not sent stays with its owner; one that was is gone from there.
template <class T>
GORT_NOINLINE void notTaken() {
  auto full = make_chan<T>();
  auto ready = make_chan<T>(1);
  T v = gen<T>::at(3);
  CHECK_GO(select(send_case(full, std::move(v)), default_case) == 1 && is(v, 3));
  ready.send(gen<T>::at(4));
  CHECK_GO(select(send_case(full, std::move(v)), recv_case(ready)) == 1 && is(v, 3));
  CHECK_GO(select(send_case(full, std::move(v)), send_case(ready, gen<T>::at(5))) == 1 && is(v, 3));
  CHECK_GO(is(ready.recv(), 5));
  CHECK_GO(select(send_case(ready, std::move(v))) == 0);
  // The receiver's variable is assigned only by its own case.
  T w = gen<T>::at(6);
  CHECK_GO(select(recv_case(full, w), default_case) == 1 && is(w, 6));
  CHECK_GO(select(recv_case(full, w), recv_case(ready)) == 1 && is(w, 6));
  ready.close();
  bool ok = true;
  CHECK_GO(select(recv_case(full, w), recv_case(ready, w, ok)) == 1 && !ok && same(w, T{}));
}

template <class T>
void exercise() {
  for (int size : {0, 1, 3}) {
    plain<T>(size, 11);
    fromParked<T>(size);
    toParked<T>(size);
  }
  notTaken<T>();
}

void small() {
  exercise<char>();
  exercise<bool>();
  exercise<short>();
  exercise<int>();
  exercise<long>();
  exercise<double>();
  exercise<empty>();
  exercise<pair>();
  exercise<aligned>();
  exercise<block<5>>();
  exercise<block<7>>();
  exercise<block<33>>();
}
void objects() {
  exercise<std::string>();
  exercise<gort::string>();
  exercise<std::vector<std::string>>();
  exercise<std::unique_ptr<int>>();
}
void large() {
  exercise<block<1000>>();
  exercise<block<4099>>();
  exercise<block<(1 << 16) - 1>>();  // Go's limit
}
// Whatever way it went, every object that was made is destroyed. (Not those that a channel still
// holds when the last reference goes: nobody destroys them.)
void counted() {
  exercise<tracked>();
  // The goroutines' own copies are gone when the goroutines are.
  while (runtime::NumGoroutine() != 1) runtime::Gosched();
  CHECK_GO(tracked::live == 0);
}

const Env kMoving{{"GODEBUG", "stackmoveall=1,stackpoison=1"}};
// A move takes ThreadSanitizer forty times as long as a call: there it is one element of each sort.
constexpr bool kFew = runtime::raceenabled;

}  // namespace

GORT_TEST("small elements") { small(); }
// Three bytes on a stack are now and then changed when it moves (stack.cc, the risk that is left), and
// with a move at each call now and then is soon.
GORT_TEST("elements of three bytes") { exercise<three>(); }
GORT_TEST("small elements, stacks move", kMoving) { kFew ? exercise<pair>() : small(); }
GORT_TEST("elements with constructors") { objects(); }
GORT_TEST("elements with constructors, stacks move", kMoving) {
  kFew ? exercise<std::string>() : objects();
}
GORT_TEST("large elements") { large(); }
GORT_TEST("large elements, stacks move", kMoving) { kFew ? exercise<block<4099>>() : large(); }
GORT_TEST("tracked elements") { counted(); }
GORT_TEST("tracked elements, stacks move", kMoving) { counted(); }
