// Labels of goroutines, which CPU and goroutine profiles show with each sample. Ports proflabel.go and
// runtime/pprof's label.go and runtime.go. (Go keeps labels in a Context besides; here the goroutine is
// the only place.)
//
//   pprof::Do(pprof::Labels("handler", "search", "user", name), [&] { ... });
//
// Invariants:
//  - A set of labels is never changed once it is made. It lies in collected memory; g.labels and the
//    records of a CPU profile (profbuf.h) keep it.
//  - A goroutine changes its own labels only. A new one begins with those of its creator.
#pragma once

#include "godefer.h"
#include "goslice.h"

namespace gort::runtime {

void runtime_setProfLabel(void* labels);
void* runtime_getProfLabel();

namespace pprof {

struct label {
  string key;
  string value;
};

// Labels by key; of each key one.
class LabelSet {
 public:
  LabelSet() = default;
  // Sets key to value.
  [[nodiscard]] LabelSet with(const string& key, const string& value) const;
  // These, and those of others, which win.
  [[nodiscard]] LabelSet merged(const LabelSet& others) const;
  std::int64_t len() const { return list_.len(); }
  // Calls f(key, value) for each, sorted by key.
  template <class F>
  void ForLabels(F&& f) const {
    for (const label& l : list_) f(l.key, l.value);
  }

 private:
  slice<label> list_;
};

namespace detail {
inline LabelSet labelsOf(const LabelSet& set) { return set; }
template <class... A>
LabelSet labelsOf(const LabelSet& set, const string& key, const string& value, const A&... more) {
  return labelsOf(set.with(key, value), more...);
}
}  // namespace detail

// Keys and values by turns; a key that comes twice has its last value.
template <class... A>
LabelSet Labels(const A&... a) {
  static_assert(sizeof...(A) % 2 == 0, "uneven number of arguments to pprof.Labels");
  return detail::labelsOf(LabelSet(), a...);
}

// The labels of the calling goroutine.
LabelSet GoroutineLabels();
void SetGoroutineLabels(const LabelSet& labels);

// Calls f with labels added to those of the goroutine, which it gets back afterwards.
template <class F>
void Do(const LabelSet& labels, F&& f) {
  func([&](auto& defer) {
    LabelSet old = GoroutineLabels();
    defer([old] { SetGoroutineLabels(old); });
    SetGoroutineLabels(old.merged(labels));
    f();
  });
}

}  // namespace pprof
}  // namespace gort::runtime
