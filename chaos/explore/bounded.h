// The bounded exhaustive strategy: all runs with at most so many preemptions, those with few deviations from
// the default first.
//
// A run is a prefix of deviations and the default after it. While it runs, the places behind the prefix are
// noted at which another thread could have gone on; each place and thread is a prefix that is longer by
// one. The search goes to depth 0, 1, 2 and so on, and to each from the beginning: it keeps the way
// to where it is, and nothing else.
//
// What is chosen: which thread loses the turn at a step that it could go on from (a preemption, of which
// there is a bound), and which one goes on when one waits (as often as there is a choice). Who goes on after
// a thread that spins, which waiter a futex wakes and when time leaps is left to the default; random
// numbers are those of one seed. The steps of the program's own memory are no places, as always.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "chaos/explore/run.h"

namespace gort::chaos {

class BoundedSearch {
 public:
  explicit BoundedSearch(int preemptions) : bound_(preemptions) {}

  // The deviations of the next run; false if all runs have been made.
  bool Next(std::vector<Deviation>* prefix);
  // Whether the run is one that has not been made before; others are on the way to one.
  bool New() const { return way_.size() == depth_; }
  // What became of it.
  void Learn(const RunRecord& record);

  // Deviations of the runs that are made now.
  std::size_t depth() const { return depth_; }
  // A run had more choices than are noted: not all runs are made.
  bool cut() const { return cut_; }

 private:
  // A prefix that has been run, and how it can be continued: what has been taken is out.
  struct Place {
    std::vector<Choice> choices;
    std::size_t next = 0;
  };

  // Puts the next continuation of the last place into way_; false if there is none.
  bool Advance();

  const int bound_;
  std::size_t depth_ = 0;
  bool started_ = false;
  bool deeper_ = false;  // a run of depth_ deviations can be continued
  bool cut_ = false;
  std::vector<Deviation> way_;
  std::vector<Place> places_;  // of the beginnings of way_, the empty one first
  int preemptions_ = 0;  // in way_
};

}  // namespace gort::chaos
