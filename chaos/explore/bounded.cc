#include "chaos/explore/bounded.h"

namespace gort::chaos {

bool BoundedSearch::Advance() {
  Place& place = places_.back();
  for (; place.next < place.choices.size(); place.next++) {
    Choice& c = place.choices[place.next];
    if (c.others == 0) continue;
    const auto thread = static_cast<std::uint32_t>(__builtin_ctzll(c.others));
    c.others &= c.others - 1;
    way_.push_back({c.step, thread, c.thread, Deviation::kSwitch, c.preemption});
    preemptions_ += c.preemption;
    return true;
  }
  return false;
}

bool BoundedSearch::Next(std::vector<Deviation>* prefix) {
  prefix->clear();
  if (!started_) {
    started_ = true;
    return true;
  }
  for (;;) {
    // Back from a run that is not continued, or from a place that has nothing left.
    if (way_.size() == places_.size() && !way_.empty()) {
      preemptions_ -= way_.back().preemption;
      way_.pop_back();
    }
    if (places_.empty()) {
      if (!deeper_) return false;
      deeper_ = false;
      depth_++;
      return true;
    }
    if (Advance()) {
      *prefix = way_;
      return true;
    }
    places_.pop_back();
  }
}

void BoundedSearch::Learn(const RunRecord& record) {
  Place place;
  for (std::uint32_t i = 0; i < record.choiceCount; i++) {
    const Choice& c = record.choices[i];
    if (!c.preemption || preemptions_ < bound_) place.choices.push_back(c);
  }
  if (record.choiceOverflow) cut_ = true;
  if (!New())
    places_.push_back(std::move(place));
  else if (!place.choices.empty())
    deeper_ = true;
}

}  // namespace gort::chaos
