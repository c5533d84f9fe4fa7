// A schedule: what a run does by default, and where it leaves that.
//
// The default is made of rules that need no choice (Rule): a thread goes on until it waits, yields (which
// may take effect some steps later, requests.cc), or another one could have run for kFairness steps and has
// not. Who goes on then is, by one rule, who has waited longest for the turn; by the other one, who has the
// highest priority. Both hold a thread that was preempted back until no other can go on, or until those
// kFairness steps are over. A run is the default and its deviations. Each says: when this thread is at this step of its own, do that instead. So a
// schedule is short where little is chosen, and what is left of one keeps its meaning when a deviation is
// taken out.
//
// Invariants:
//  - A thread's steps are counted from 1, over all its atomic operations, requests and waits; at no
//    count is there more than one decision of a kind.
//  - Deviations are kept in the order in which they were made.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gort::chaos {

inline constexpr int kMaxThreads = 256;
inline constexpr std::size_t kMaxDeviations = 1 << 20;  // of a run
// Steps for which a thread that can run may be passed over.
inline constexpr std::int64_t kFairness = 3000;

struct Deviation {
  enum Kind : std::uint8_t {
    kSwitch,  // the turn goes to thread `what`
    kLeap,  // time leaps to when the next sleeper is due
    kWake,  // a futex wakes its waiter number `what`, in the order of their coming
    kInject,  // the injection `what` (inject.h) happens at the point reached here
    kSignal,  // a signal to the process goes to thread `what`
  };
  std::uint64_t step;
  std::uint32_t what;
  std::uint8_t thread;
  Kind kind;
  // kSwitch: the thread that loses the turn could have gone on, and would have.
  bool preemption;

  bool operator==(const Deviation&) const = default;
};

// splitmix64. One number after another, the same for the same seed everywhere.
class Sequence {
 public:
  explicit constexpr Sequence(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  // Uniform in [0, n); n > 0.
  std::uint64_t Below(std::uint64_t n) {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(Next()) * n >> 64);
  }
  bool Roll(double probability) {
    return static_cast<double>(Next() >> 11) * 0x1p-53 < probability;
  }
  // Steps until something that happens at each step with probability 1/mean; at least 1.
  std::int64_t Wait(double mean);

 private:
  std::uint64_t state_;
};

// A seed for a purpose of its own, from another one.
std::uint64_t DeriveSeed(std::uint64_t seed, std::uint64_t purpose);

// Why somebody has to say who goes on.
enum class Reason : std::uint8_t {
  kStep,  // the thread with the turn could go on
  kWoken,  // as kStep; it has just made another thread runnable
  kFairness,  // as kStep; another one has waited for the turn for kFairness steps
  kYield,  // it spins: it gains nothing by going on
  kWait,  // it cannot go on
};

// What a strategy may look at.
struct Situation {
  Reason reason;
  int current;
  int runnable[kMaxThreads];  // who could go on, in the order of their numbers; never empty
  int n;
  int longest;  // of these, but for the current one, who has waited longest for the turn; -1: nobody
  int next;  // the same, of those that were not preempted, if there is one
  bool sleeper;  // somebody sleeps until a time
  std::uint64_t contended;  // steps so far at which more than one thread could go on
  std::uint64_t asked;  // the same, but visits of points, if those alone count

  bool CanGoOn(int thread) const;
};

// Decides what a run does by default. A function of what has happened alone: a replay asks it at fewer
// steps, but for kStep, at which it answers with the current thread and learns nothing, at the same.
class Rule {
 public:
  virtual ~Rule() = default;
  virtual int Default(const Situation& s) = 0;
  // A deviation has taken the turn from a thread that could have gone on.
  virtual void Preempted(int) {}
  // A thread has come into being.
  virtual void Created(int) {}
};

// Who has waited longest.
class Rotation : public Rule {
 public:
  int Default(const Situation& s) override;
};

// Priorities, drawn when a thread comes into being; who yields or is preempted falls to the lowest, who has
// waited too long rises to the highest.
class Priorities : public Rule {
 public:
  explicit Priorities(std::uint64_t seed) : sequence_(seed) {}
  int Default(const Situation& s) override;
  void Preempted(int thread) override { priority_[thread] = --lowest_; }
  // Threads come one by one, so each gets a place among those that are there.
  void Created(int thread) override { priority_[thread] = (sequence_.Next() >> 2) + (1ull << 62); }
  // Of those that can go on.
  int Highest(const Situation& s) const;

 private:
  Sequence sequence_;
  std::uint64_t priority_[kMaxThreads] = {};
  std::uint64_t lowest_ = 1ull << 62;
  std::uint64_t highest_ = 1ull << 63;
};

// Places of the code, or named points, at which a strategy is asked: those whose hash (16 bits), under the
// mask, is `site`.
struct SiteChoice {
  std::uint32_t mask;
  std::uint32_t site;
  bool Has(std::uint32_t hash) const { return (hash & mask) == site; }
};
inline constexpr SiteChoice kNoSites = {0, ~std::uint32_t(0)};

// Decides one run. A strategy allocates nothing and calls nothing of the runtime: it runs at every
// step, on the explorer's stack.
class Strategy {
 public:
  virtual ~Strategy() = default;
  // The next thread, one of s.runnable.
  virtual int Choose(const Situation& s) = 0;
  // Contended steps until it wants to be asked again though nothing has happened; at least 1.
  virtual std::int64_t Patience() = 0;
  // The same all the time; of the named points if points are what it is asked at.
  virtual SiteChoice Sites() { return kNoSites; }
  // The current thread has come to one of these, of this hash. Whether it wants to be asked now.
  virtual bool Arrived(std::uint32_t) { return false; }
  // Whether time leaps now.
  virtual bool Leaps() { return false; }
  // A thread has come into being.
  virtual void Created(int) {}
  // Which of n waiters a futex wakes.
  virtual int Wakes(int) { return 0; }
};

}  // namespace gort::chaos
