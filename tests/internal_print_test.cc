// print and println, values of type any, type names: the formats are Go's.
#include <cmath>
#include <limits>
#include <string>

#include "runtime/any.h"
#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace shapes {
struct Circle {
  double r;
};
}  // namespace shapes

struct Point {
  int x, y;
  friend bool operator==(Point, Point) = default;
};
enum Colour : int { red, green };
struct Oops {
  int code;
  std::string_view Error() const { return "oops"; }
};
struct Named {
  std::string_view String() const { return "named"; }
};
struct NoEqual {
  int x;
};

namespace {

namespace rt = gort::runtime;

std::string typeName(std::string_view cxx) {
  char buf[200];
  return std::string(buf, rt::gotypename(cxx, buf, sizeof buf));
}

std::string printed(void (*f)()) {
  Result r = run_go(f);
  CHECK_MESSAGE(r.status == 0, r.str());
  CHECK(r.out.empty());  // all of it goes to standard error
  return r.err;
}

}  // namespace

TEST_CASE("integers, bools, text, pointers") {
  CHECK(printed([] { println(0, -1, 42L, 7u, std::int8_t(-128), std::uint8_t(255)); }) ==
        "0 -1 42 7 -128 255\n");
  CHECK(printed([] { println(INT64_MIN, INT64_MAX, UINT64_MAX); }) ==
        "-9223372036854775808 9223372036854775807 18446744073709551615\n");
  CHECK(printed([] { println(true, false); }) == "true false\n");
  CHECK(printed([] { println('a', static_cast<char>(-1)); }) == "97 -1\n");
  CHECK(printed([] {
          println("literal", std::string("std"), std::string_view("view"), string("gort"));
        }) == "literal std view gort\n");
  CHECK(printed([] { println(""); }) == "\n");
  CHECK(printed([] { println(); }) == "\n");
  CHECK(printed([] { print(); }) == "");
  CHECK(printed([] { print(1, "x", 2.0, true); }) == "1x+2.000000e+000true");  // no blanks
  CHECK(printed([] {
          println(nullptr, static_cast<int*>(nullptr), reinterpret_cast<int*>(0xdeadbeef));
        }) == "0x0 0x0 0xdeadbeef\n");
  CHECK(printed([] { println(rt::hex(0ul), rt::hex(0xfful), rt::hex(UINT64_MAX)); }) ==
        "0x0 0xff 0xffffffffffffffff\n");
  CHECK(printed([] { println(green, 3 * time::Second); }) == "1 3000000000\n");
  CHECK(printed([] { println(chan<int>{}, slice<int>{}); }) == "0x0 [0/0]0x0\n");
  CHECK(printed([] { println(slice<int>(reinterpret_cast<int*>(0x1230), 2, 5)); }) ==
        "[2/5]0x1230\n");
}

TEST_CASE("floats") {
  CHECK(printed([] { println(0.0, -0.0, 1.0, -1.0); }) ==
        "+0.000000e+000 -0.000000e+000 +1.000000e+000 -1.000000e+000\n");
  CHECK(printed([] { println(1.5f, 123456.789, 0.001); }) ==
        "+1.500000e+000 +1.234568e+005 +1.000000e-003\n");
  CHECK(printed([] { println(9.9999999, 0.99999999, 1e100, 1e-100); }) ==
        "+1.000000e+001 +1.000000e+000 +1.000000e+100 +1.000000e-100\n");
  CHECK(printed([] {
          println(std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                  std::nan(""));
        }) == "+Inf -Inf NaN\n");
  CHECK(printed([] { println(std::numeric_limits<double>::max()); }) == "+1.797693e+308\n");
}

// The output of one call stands together.
TEST_CASE("lines of many goroutines do not mix") {
  Result r = run_go([] {
    auto done = make_chan<bool>();
    for (int i = 0; i < 4; i++)
      go([=] {
        for (int k = 0; k < 30; k++) println("aaaaaaaaaa", "bbbbbbbbbb", 1.0, "cccccccccc");
        done.send(true);
      });
    for (int i = 0; i < 4; i++) done.recv();
  });
  CHECK(r.status == 0);
  const std::string line = "aaaaaaaaaa bbbbbbbbbb +1.000000e+000 cccccccccc\n";
  std::string want;
  for (int i = 0; i < 4 * 30; i++) want += line;
  CHECK(r.err == want);
}

TEST_CASE("any: what panic shows") {
  CHECK(printed([] { println(any(3), any(-3L), any(true), any(1.5), any('a')); }) ==
        "3 -3 true +1.500000e+000 97\n");
  CHECK(printed([] { println(any("text"), any(std::string("std")), any(string("gort"))); }) ==
        "text std gort\n");
  CHECK(printed([] { println(any{}, any(nullptr)); }) == "nil nil\n");
  CHECK(printed([] { println(any(green)); }) == "main.Colour(1)\n");
  CHECK(printed([] { println(any(reinterpret_cast<Point*>(0x40))); }) == "(*main.Point) 0x40\n");
  std::string s = printed([] { println(any(Point{1, 2})); });
  CHECK(s.rfind("(main.Point) 0x", 0) == 0);
  s = printed([] { println(any(shapes::Circle{1})); });
  CHECK(s.rfind("(shapes.Circle) 0x", 0) == 0);
}

GORT_TEST("any: type, text, comparison") {
  any i = 3, text = "abc";
  CHECK_GO(i && text && !any{});
  CHECK_GO(i.as<int>() != nullptr && *i.as<int>() == 3);
  CHECK_GO(i.as<long>() == nullptr);
  CHECK_GO(*text.as<std::string_view>() == "abc");
  CHECK_GO(any(3) == any(3) && !(any(3) == any(4)) && !(any(3) == any(3L)));
  CHECK_GO(any("abc") == any(std::string("abc")) && any{} == any(nullptr));
  CHECK_GO(any(Point{1, 2}) == any(Point{1, 2}) && !(any(Point{1, 2}) == any(Point{1, 3})));
  CHECK_GO(any(Oops{1}).isError() && !any(Oops{1}).isRuntimeError() && !i.isError());
  CHECK_GO(any(Oops{1}).Error() == "oops" && any(Named{}).Error() == "named");
  CHECK_GO(text.Error() == "abc" && i.Error().empty());
  any copy = text;
  text = 1;
  CHECK_GO(copy.Error() == "abc");
}

TEST_CASE("comparing what cannot be compared") {
  Result r = run_go([] { println(any(NoEqual{1}) == any(NoEqual{1})); });
  CHECK(r.status == 2);
  CHECK_MESSAGE(r.has("panic: runtime error: comparing uncomparable type main.NoEqual"), r.str());
}

TEST_CASE("names of types") {
  CHECK(typeName("int") == "int");
  CHECK(typeName("unsigned long") == "unsigned long");
  CHECK(typeName("Point") == "main.Point");
  CHECK(typeName("Point *") == "*main.Point");
  CHECK(typeName("const Point *") == "*main.Point");
  CHECK(typeName("shapes::Circle") == "shapes.Circle");
  CHECK(typeName("a::b::T") == "a/b.T");
  CHECK(typeName("(anonymous namespace)::T") == "main.T");
  CHECK(typeName("gort::sync::Mutex") == "sync.Mutex");
  CHECK(typeName("gort::runtime::PanicNilError *") == "*runtime.PanicNilError");
  CHECK(typeName("std::vector<int, std::allocator<int>>") == "std.vector[...]");
  char small[4];
  CHECK(std::string(small, rt::gotypename("Point", small, sizeof small)) == "main");
}
