// Pointer maps of C++ types, what travels as bytes, and what the descriptors say. Nearly all of it is
// decided at compile time.
#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;
namespace rt = gort::runtime;

namespace {

// The words of a T that may hold pointers, lowest bit first. For types of up to 64 words.
template <class T>
constexpr std::uint64_t words() {
  const rt::_type* t = rt::typeOf<T>();
  std::uint64_t w = 0;
  for (rt::uintptr i = 0; i < t->ptrdata / 8; i++)
    if ((t->gcdata[i / 8] >> i % 8 & 1) != 0) w |= std::uint64_t(1) << i;
  return w;
}

struct Node {
  long value;
  ptr<Node> next;
};

// ---- types without pointers ----

enum class Color { red };
struct Empty {};
struct Numbers {
  int a;
  double b;
  char text[24];
  std::uintptr_t address;
};
struct Flags {
  unsigned a : 3;
  unsigned b : 5;
};
using Function = int (*)(int);
using Member = int Numbers::*;
using Method = void (Node::*)();

static_assert(words<int>() == 0 && rt::typeOf<int>()->gcdata == nullptr);
static_assert(words<Color>() == 0 && words<bool>() == 0 && words<long double>() == 0);
static_assert(words<Empty>() == 0 && words<Numbers>() == 0 && words<Numbers[100]>() == 0);
static_assert(words<Function>() == 0 && words<Member>() == 0 && words<Method>() == 0);
static_assert(words<std::nullptr_t>() == 0 && words<__int128>() == 0);
static_assert(words<Flags>() == 0);
static_assert(words<unsigned char[4096]>() == 0);
static_assert(words<std::array<std::byte, 64>>() == 0);
static_assert(words<time::Duration>() == 0 && words<time::Time>() == 0);

// ---- one word, or some ----

static_assert(words<void*>() == 1 && words<const Node* const>() == 1 && words<int**>() == 1);
static_assert(words<ptr<Node>>() == 1 && words<chan<int>>() == 1);
static_assert(words<slice<Node>>() == 0b001 && words<string>() == 0b01 && words<any>() == 0b11);
static_assert(rt::typeOf<slice<int>>()->ptrdata == 8 && rt::typeOf<slice<int>>()->size == 24);

static_assert(words<Node>() == 0b10);
static_assert(words<std::pair<int, Node>>() == 0b100);
static_assert(words<std::array<Node, 3>>() == 0b101010 && words<Node[3]>() == 0b101010);
static_assert(words<std::tuple<char, string, int>>() != 0);
static_assert(words<std::tuple<int, long>>() == 0);
static_assert(words<std::optional<int>>() == 0 && words<std::string_view>() == 0b10);
static_assert(words<std::unique_ptr<int>>() == 1 && words<std::shared_ptr<int>>() == 0b11);
static_assert(words<std::vector<int>>() == 0b111 && words<std::atomic<Node*>>() == 1);
static_assert(words<std::atomic<long>>() == 0);
// Unions inside: every word of them.
static_assert(words<std::string>() == 0b1101);
static_assert((words<std::function<void()>>() & 0b11) == 0b11);
static_assert((words<std::variant<int, Node*>>() & 1) == 1);

struct Mixed {
  char a;
  void* b;
  short c[3];
  std::string d;
  int* const e[2];
  const volatile int f;
  int* volatile g;
  Function h;
  slice<int> i;
};
static_assert(words<Mixed>() == 0b1'0'1'0'11'1101'0'10);

struct Outer {
  struct {
    int a;
    void* p;
  } inner[3];
  int tail;
};
static_assert(words<Outer>() == 0b0101010);

// ---- classes: private fields, bases, virtual functions ----

class Private {
 public:
  explicit Private(int v) : v_(v) {}
  int get() const { return v_; }

 private:
  int v_;
  Node* n_ = nullptr;
};
struct Base {
  long x;
  Node* p;
};
struct Derived : Base, private Private {
  long y;
  Node* q;
};
struct Virtual {
  virtual ~Virtual() = default;
  Node* p;
};
struct Recursive {
  Recursive* self;
  long x;
  std::vector<Recursive> v;
};
static_assert(words<Private>() == 0b10);
static_assert(words<Derived>() == 0b101010);
static_assert(words<Virtual>() == 0b10);
static_assert(words<Recursive>() == 0b11101);

struct Incomplete;
struct HoldsIncomplete {
  Incomplete* p;
  long x;
};
struct Incomplete {
  long x;
  HoldsIncomplete* h;
  Incomplete();
};
struct HoldsBoth {
  Incomplete a;
  Incomplete* p;
};
static_assert(words<HoldsIncomplete>() == 0b01 && words<HoldsBoth>() == 0b110);

// ---- every word, because nobody can know ----

union Union {
  int i;
  void* p;
  long x[3];
};
struct Unnamed {
  long k;
  union {
    long i;
    void* p;
    struct {
      long j;
      void* q;
    };
  };
};
struct NamedC {
  union {
    char text[16];
    void* p;
  } u;
  long k;
};
struct BitField {
  int a : 3;
  void* p;
  long x;
};
struct Reference {
  int& r;
  long x;
};
struct Storage {
  int n;
  alignas(8) unsigned char room[16];
};
struct StorageIdiom {
  int n;
  alignas(8) std::array<std::byte, 16> room;
};
struct Buffer {
  unsigned char bytes[4096];
};
using Vector = float __attribute__((vector_size(16)));
static_assert(words<Union>() == 0b111);
static_assert(words<Unnamed>() == 0b110);
static_assert(words<NamedC>() == 0b011);
static_assert(words<BitField>() == 0b111 && words<Reference>() == 0b11);
static_assert(words<Storage>() == 0b110 && words<StorageIdiom>() == 0b110);
static_assert(words<Buffer>() == 0);
static_assert(words<Vector>() == 0b11);

// ---- GORT_POINTERS ----

class Declared {
  GORT_POINTERS(Declared, left_, tagged_)

 public:
  Declared() = default;

 private:
  [[maybe_unused]] unsigned depth_ : 4 = 0;
  Node* left_ = nullptr;
  void* tagged_ = nullptr;
  [[maybe_unused]] long x_ = 0;
};
class None {
  GORT_POINTERS(None)

 public:
  None();
  unsigned flags : 4;
  void* c_library;
};
struct DerivedDeclared : Declared {
  Node* more;
};
struct DerivedAgain : Declared {
  GORT_POINTERS(DerivedAgain, a, b)

 public:
  Node* a;
  slice<int> b;
};
struct Aggregate {  // inside another class its fields are listed, whatever it says of them
  GORT_POINTERS(Aggregate, a)

 public:
  Node* a;
  Node* b;
};
struct HasAggregate {
  Aggregate x;
  Node* p;
};
static_assert(words<Aggregate>() == 0b01 && words<HasAggregate>() == 0b111);
struct HasDeclared {
  Declared d;
  None n;
  Node* p;
};
static_assert(words<Declared>() == 0b0110);
static_assert(words<None>() == 0);
static_assert(words<DerivedDeclared>() == 0b11111);
static_assert(words<DerivedAgain>() == 0b110000);
static_assert(words<HasDeclared>() == 0b1'00'0110);

// ---- what has no map, and what is large ----

#pragma pack(push, 1)
struct Packed {
  char c;
  void* p;
};
struct PackedNumbers {
  char c;
  long x;
};
#pragma pack(pop)
#pragma pack(push, 4)
struct PackedFour {  // the pointer is in place, but not in the second element of an array
  int a, b;
  void* p;
  int c;
};
#pragma pack(pop)
static_assert(rt::types::mask<Packed>.misaligned && rt::types::mask<PackedFour>.misaligned);
static_assert(words<PackedNumbers>() == 0);

struct ManyNumbers {
  struct {
    int a, b;
  } x[1000000];
  double y[1 << 20];
};
struct ManyPointers {
  void* p[1 << 20];
  long last;
};
static_assert(rt::typeOf<ManyNumbers>()->ptrdata == 0);
static_assert(rt::typeOf<ManyPointers>()->ptrdata == sizeof(ManyPointers));
static_assert(rt::typeOf<ManyPointers>()->gcdata[1 << 16] == 0xff);

// ---- bitwise, and the ABI of ptr ----

struct WithDestructor {
  ptr<Node> p;
  ~WithDestructor() {}
};
static_assert(rt::bitwise<int> && rt::bitwise<ptr<Node>> && rt::bitwise<Node>);
static_assert(rt::bitwise<chan<int>> && rt::bitwise<slice<Node>> && rt::bitwise<string>);
static_assert(rt::bitwise<any> && rt::bitwise<std::array<Node, 4>>);
static_assert(!rt::bitwise<std::string> && !rt::bitwise<std::unique_ptr<int>>);
static_assert(!rt::bitwise<WithDestructor>);
// Passed in registers, though it has a copy constructor.
static_assert(__is_trivially_relocatable(ptr<Node>) && !std::is_trivially_copyable_v<ptr<Node>>);
static_assert(std::is_trivially_destructible_v<ptr<Node>> && sizeof(ptr<Node>) == 8);
[[maybe_unused]] constinit ptr<Node> global;  // no code runs for it
constexpr int number = 7;
static_assert([] {
  ptr<const int> p = &number;
  ptr<const int> q = p;
  return *q.get() == 7 && q.get() == p.get();
}());

}  // namespace

TEST_CASE("lambdas have the map of what they capture") {
  long a = 1;
  Node* n = nullptr;
  slice<int> s;
  [[maybe_unused]] auto none = [a] { return a; };
  [[maybe_unused]] auto some = [a, n, s] { return a + (n != nullptr) + s.len(); };
  [[maybe_unused]] auto reference = [&a] { return a; };
  CHECK(words<decltype(none)>() == 0);
  CHECK(words<decltype(some)>() == 0b00110);
  CHECK(words<decltype(reference)>() == 1);
}

TEST_CASE("a type without a map is refused by name") {
  static constexpr rt::stringStruct name{"foreign.T", 9};
  static constexpr rt::_type foreign = [] {
    rt::_type t = *rt::typeOf<Node>();
    t.tflag = 0;
    t.gcdata = nullptr;
    t.str = &name;
    return t;
  }();
  static constexpr rt::chantype foreignChan{*rt::typeOf<chan<int>>(), &foreign, 3};
  void (*makers[])() = {[] { rt::newobject(&foreign); }, [] { rt::makeslice(&foreign, 1, 1); },
                        [] { rt::makechan(&foreignChan, 1); }};
  for (auto* f : makers) {
    Result r = run_go(f);
    INFO(r.str());
    CHECK(r.status == 2);
    CHECK(r.has("runtime: make of type foreign.T, which has no pointer map\n"));
    CHECK(r.has("fatal error: make of a type without a pointer map\n"));
  }
}

GORT_TEST("values with pointers come through slices, channels and any") {
  auto* n = make<Node>(5, nullptr);
  slice<Node> s = {Node{1, n}, Node{2, nullptr}};
  for (int i = 0; i < 100; i++) s = append(s, Node{i, s[i].next});
  CHECK_GO(len(s) == 102 && s[2].next == n && s[3].next == nullptr);
  CHECK_GO(copy(s.sub(1), s) == 101 && s[1].next == n && s[3].next == n);
  auto c = make_chan<Node>(3), u = make_chan<Node>();
  auto p = make_chan<ptr<Node>>(1);
  for (int i = 0; i < 3; i++) c.send(Node{i, n});
  go([=] {
    for (Node x : c) u.send(x);
    u.close();
  });
  c.close();
  int i = 0;
  for (Node x : u) {
    CHECK_GO(x.value == i++ && x.next == n);
    p.send(x.next);
    CHECK_GO(p.recv() == n);
  }
  CHECK_GO(i == 3);
  any a = Node{9, n}, b = a;
  a = any(slice<int>{1, 2, 3});
  CHECK_GO(b.as<Node>()->next == n && a.as<slice<int>>()->len() == 3);
}

GORT_TEST("make of a slice without a length is a new nil slice") {
  slice<int>* p = make<slice<int>>();
  CHECK_GO(*p == nullptr && len(*p) == 0 && cap(*p) == 0);
  *p = append(*p, 1, 2, 3);
  ptr<slice<int>> q = p;
  rt::GC();
  CHECK_GO(len(*q) == 3 && (*q)[2] == 3);
  static_assert(std::is_same_v<decltype(make<slice<int>>(3)), slice<int>>);
}

namespace {
struct General {
  int x = 1;
};
struct Special : General {
  int y = 2;
};
}  // namespace

GORT_TEST("a ptr converts as its pointer does, and is a key") {
  ptr<Special> d = make<Special>();
  ptr<General> b = d;
  CHECK_GO(b == d.get() && b->x == 1);
  b = nullptr;
  b = d;
  CHECK_GO(b == d.get());
  static_assert(!std::is_convertible_v<ptr<General>, ptr<Special>>);
  CHECK_GO(std::hash<ptr<General>>()(b) == std::hash<General*>()(b.get()));
  rt::SetFinalizer(d, [](Special*) {});
  rt::SetFinalizer(d, nullptr);
}
