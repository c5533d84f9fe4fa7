// See proflabel.h.
#include "proflabel.h"

#include "stubs.h"
#include "tsan.h"

namespace gort::runtime {

namespace {
// For TSan: who reads a profile reads labels that were made before they were set. The true way is
// through the signal handler, which TSan does not see.
[[maybe_unused]] char labelSync;
}  // namespace

void runtime_setProfLabel(void* labels) {
  racerelease(&labelSync);
  g* gp = getg();
  gcWriteBarrier(&gp->labels, labels);
  gp->labels = labels;
}

void* runtime_getProfLabel() {
  raceacquire(&labelSync);
  return getg()->labels;
}

namespace pprof {

LabelSet LabelSet::with(const string& key, const string& value) const {
  LabelSet r;
  std::int64_t i = 0;
  for (; i < list_.len() && list_[i].key < key; i++) r.list_ = append(r.list_, list_[i]);
  r.list_ = append(r.list_, label{key, value});
  if (i < list_.len() && list_[i].key == key) i++;
  for (; i < list_.len(); i++) r.list_ = append(r.list_, list_[i]);
  return r;
}

LabelSet LabelSet::merged(const LabelSet& others) const {
  LabelSet r = *this;
  for (const label& l : others.list_) r = r.with(l.key, l.value);
  return r;
}

LabelSet GoroutineLabels() {
  auto* set = static_cast<LabelSet*>(runtime_getProfLabel());
  return set == nullptr ? LabelSet() : *set;
}

void SetGoroutineLabels(const LabelSet& labels) {
  runtime_setProfLabel(labels.len() == 0 ? nullptr : make<LabelSet>(labels));
}

}  // namespace pprof
}  // namespace gort::runtime
