// Goroutines that wait for a known time, and what a profile says of them.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "runtime/os_linux.h"
#include "runtime/runtime.h"
#include "tests/chan_wait.h"

namespace gort::test {

// Whether the stack contains a function whose name contains the text.
inline bool inStack(std::span<const uintptr> stk, std::string_view text) {
  runtime::Frames frames = runtime::CallersFrames(stk);
  for (bool more = !stk.empty(); more;) {
    auto [frame, m] = frames.Next();
    if (frame.Function.find(text) != std::string_view::npos) return true;
    more = m;
  }
  return false;
}

// All records of a profile.
template <class Record, class F>
std::vector<Record> fetchProfile(F fetch) {
  std::vector<Record> p;
  for (;;) {
    runtime::ProfileResult r = fetch(p);
    if (r.ok) {
      p.resize(static_cast<std::size_t>(r.n));
      return p;
    }
    p.resize(static_cast<std::size_t>(r.n) + 20);
  }
}

// Of the records with that function, the sums.
struct waits {
  std::int64_t count = 0;
  std::int64_t ns = 0;
};
inline waits waitsIn(const std::vector<runtime::BlockProfileRecord>& p, std::string_view function) {
  waits w;
  std::int64_t cycles = 0;
  for (const auto& r : p) {
    if (!inStack(r.Stack(), function)) continue;
    w.count += r.Count;
    cycles += r.Cycles;
  }
  w.ns = static_cast<std::int64_t>(static_cast<double>(cycles) * 1e9 /
                                   static_cast<double>(runtime::tickspersecond()));
  return w;
}

// What was measured around waits: the true time lies between the two.
struct bounds {
  std::int64_t least = 0, most = 0;  // ns
  // Up to a hundredth off: the pace of the processor's clock is measured.
  bool hold(std::int64_t ns) const {
    return ns >= least - least / 100 && ns <= most + most / 100 + 1000;
  }
};

}  // namespace gort::test
