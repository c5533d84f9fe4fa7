// Durations and points in time: behaviours of Go's time/time_test.go, for the part of the package
// that there is.
#include <string>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

using time::Duration;
constexpr Duration us = time::Microsecond, ms = time::Millisecond, second = time::Second,
                   minute = time::Minute, hour = time::Hour;
constexpr std::int64_t maxInt = INT64_MAX, minInt = INT64_MIN;

}  // namespace

TEST_CASE("TestDurationString") {
  const struct {
    const char* str;
    Duration d;
  } tests[] = {
      {"0s", 0},
      {"1ns", 1},
      {"1.1µs", 1100},
      {"2.2ms", 2200 * us},
      {"3.3s", 3300 * ms},
      {"4m5s", 4 * minute + 5 * second},
      {"4m5.001s", 4 * minute + 5001 * ms},
      {"5h6m7.001s", 5 * hour + 6 * minute + 7001 * ms},
      {"8m0.000000001s", 8 * minute + 1},
      {"2562047h47m16.854775807s", maxInt},
      {"-2562047h47m16.854775808s", minInt},
      {"-1m0s", -minute},
  };
  for (auto& t : tests) CHECK(t.d.String() == t.str);
}

TEST_CASE("TestDurationUnits") {
  CHECK(Duration(-1000).Microseconds() == -1);
  CHECK(Duration(999999).Milliseconds() == 0);
  CHECK(Duration(-1999999).Milliseconds() == -1);
  CHECK((300 * ms).Seconds() == 0.3);
  CHECK((30 * second).Minutes() == 0.5);
  CHECK((-90 * second).Minutes() == -1.5);
  CHECK((90 * minute).Hours() == 1.5);
  CHECK(Duration(minInt).Nanoseconds() == minInt);
}

TEST_CASE("TestDurationTruncate and TestDurationAbs") {
  CHECK(Duration(1999).Truncate(us) == us);
  CHECK(Duration(-1999).Truncate(us) == -us);
  CHECK((10 * minute).Truncate(0) == 10 * minute);
  CHECK((2 * minute + 10 * second).Truncate(minute) == 2 * minute);
  CHECK((-us).Abs() == us);
  CHECK(Duration(minInt).Abs() == maxInt);
  CHECK(Duration(maxInt).Abs() == maxInt);
}

TEST_CASE("arithmetic of durations") {
  CHECK(3 * second / 2 == 1500 * ms);
  CHECK((7 * second) % (2 * second) == second);
  CHECK(second < minute);
  CHECK(static_cast<int>(5 * us) == 5000);
  Duration d = second;
  d += ms;
  d -= 2 * ms;
  CHECK(d == 999 * ms);
}

TEST_CASE("Unix, Add, Sub and comparison without the monotonic clock") {
  time::Time a = time::Unix(10, 5), b = time::Unix(10, 6);
  CHECK(a.Unix() == 10);
  CHECK(a.Nanosecond() == 5);
  CHECK(a.UnixNano() == 10000000005);
  CHECK(time::Unix(1, 2345678).UnixMilli() == 1002);
  CHECK(time::Unix(1, 2345678).UnixMicro() == 1002345);
  CHECK(a.Before(b));
  CHECK(b.After(a));
  CHECK(a.Equal(time::Unix(10, 5)));
  CHECK(b.Sub(a) == 1);
  CHECK(a.Sub(b) == -1);
  CHECK(a.Add(second).Unix() == 11);
  CHECK(a.Add(-6).Nanosecond() == 999999999);
  CHECK(a.Add(-6).Unix() == 9);
  // Nanoseconds outside [0, 999999999] are carried.
  CHECK(time::Unix(0, 2000000001).Unix() == 2);
  CHECK(time::Unix(0, -1).Unix() == -1);
  CHECK(time::Unix(0, -1).Nanosecond() == 999999999);
  // A difference that does not fit is the nearest that does.
  CHECK(time::Unix(maxInt / 2, 0).Sub(time::Unix(minInt / 2, 0)) == maxInt);
  CHECK(time::Unix(minInt / 2, 0).Sub(time::Unix(maxInt / 2, 0)) == minInt);
  CHECK(time::Time{}.IsZero());
  CHECK(!a.IsZero());
}

GORT_TEST("the clock goes forward") {
  time::Time last = time::Now();
  CHECK_GO(!last.IsZero());
  for (int i = 0; i < 1000; i++) {
    time::Time t = time::Now();
    CHECK_GO(!t.Before(last));
    CHECK_GO(t.Sub(last) >= 0);
    last = t;
  }
  CHECK_GO(time::Since(last) >= 0);
  CHECK_GO(time::Until(last) <= 0);
  CHECK_GO(last.Add(hour).Sub(last) == hour);
}
