#include "chaos/explore/strategies.h"

#include <algorithm>
#include <charconv>
#include <new>

// No roots of the collector (goroutine.lds).
#pragma clang section bss = ".bss.noroots" data = ".data.noroots"

namespace gort::chaos {

namespace {

constexpr int kUsualBound = 2;
constexpr std::string_view kAtPoints = "@points";
constexpr std::string_view kAtMemory = "@memory";

// Time is slow in some runs and fast in others: how often it leaps, at a decision.
double LeapProbability(Sequence* dice) {
  constexpr double kProbabilities[] = {0, 0, 0.001, 0.01, 0.05};
  return kProbabilities[dice->Below(std::size(kProbabilities))];
}

std::uint64_t PrioritiesSeed(std::uint64_t seed) { return DeriveSeed(seed, 1); }

class Default : public Strategy {
 public:
  int Choose(const Situation& s) override { return rotation_.Default(s); }
  std::int64_t Patience() override { return INT64_MAX; }

 private:
  Rotation rotation_;
};

int Uniform(const Situation& s, Sequence* dice, bool others) {
  if (others && s.longest >= 0 && s.CanGoOn(s.current)) {
    const int i = static_cast<int>(dice->Below(static_cast<std::uint64_t>(s.n - 1)));
    // The list without the current one.
    for (int j = 0, seen = 0; j < s.n; j++) {
      if (s.runnable[j] == s.current) continue;
      if (seen++ == i) return s.runnable[j];
    }
  }
  return s.runnable[dice->Below(static_cast<std::uint64_t>(s.n))];
}

// What all that draw have in common: leaps of time, and whom a futex wakes.
class Drawn : public Strategy {
 public:
  explicit Drawn(std::uint64_t seed) : sequence_(seed), leap_(LeapProbability(&sequence_)) {}
  bool Leaps() override { return sequence_.Roll(leap_); }
  int Wakes(int n) override { return static_cast<int>(sequence_.Below(static_cast<unsigned>(n))); }

 protected:
  Sequence sequence_;

 private:
  const double leap_;
};

class Random : public Drawn {
 public:
  explicit Random(std::uint64_t seed) : Drawn(seed) {}
  int Choose(const Situation& s) override {
    return Uniform(s, &sequence_, s.reason == Reason::kYield);
  }
  std::int64_t Patience() override { return 1; }
};

class Burst : public Drawn {
 public:
  explicit Burst(std::uint64_t seed)
      : Drawn(seed), mean_(static_cast<double>(4ull << sequence_.Below(11))) {}
  int Choose(const Situation& s) override {
    if (s.reason == Reason::kWoken && !sequence_.Roll(0.25)) return s.current;
    return Uniform(s, &sequence_, s.reason != Reason::kWoken);
  }
  std::int64_t Patience() override { return sequence_.Wait(mean_); }

 private:
  const double mean_;
};

class Starve : public Burst {
 public:
  explicit Starve(std::uint64_t seed) : Burst(seed) {}
  int Choose(const Situation& s) override {
    if (s.contended >= until_) {
      victim_ = s.runnable[sequence_.Below(static_cast<std::uint64_t>(s.n))];
      until_ = s.contended + static_cast<std::uint64_t>(
                                 sequence_.Wait(static_cast<double>(16ull << sequence_.Below(10))));
    }
    const int chosen = Burst::Choose(s);
    if (chosen != victim_ || s.n == 1) return chosen;
    Situation rest = s;
    rest.n = 0;
    for (int i = 0; i < s.n; i++)
      if (s.runnable[i] != victim_) rest.runnable[rest.n++] = s.runnable[i];
    return rest.runnable[sequence_.Below(static_cast<std::uint64_t>(rest.n))];
  }

 private:
  int victim_ = -1;
  std::uint64_t until_ = 0;
};

class Pct : public Drawn {
 public:
  Pct(std::uint64_t seed, int depth, std::uint64_t k)
      : Drawn(seed), priorities_(PrioritiesSeed(seed)) {
    changes_ = std::min(depth - 1, kMaxChanges);
    for (int i = 0; i < changes_; i++)
      change_[i] = 1 + sequence_.Below(std::max<std::uint64_t>(k, 1));
    std::sort(change_, change_ + changes_);
  }

  void Created(int thread) override { priorities_.Created(thread); }

  int Choose(const Situation& s) override {
    asked_ = s.asked;
    const int byDefault = priorities_.Default(s);
    if (s.reason == Reason::kFairness || next_ == changes_ || s.asked < change_[next_])
      return byDefault;
    while (next_ < changes_ && s.asked >= change_[next_]) next_++;
    if (s.CanGoOn(s.current)) priorities_.Preempted(s.current);
    return priorities_.Highest(s);
  }

  std::int64_t Patience() override {
    if (next_ == changes_) return INT64_MAX;
    return static_cast<std::int64_t>(std::max(change_[next_], asked_ + 1) - asked_);
  }

 private:
  static constexpr int kMaxChanges = 64;

  Priorities priorities_;
  std::uint64_t change_[kMaxChanges];
  std::uint64_t asked_ = 0;
  int changes_;
  int next_ = 0;
};

class AtSites : public Drawn {
 public:
  AtSites(std::uint64_t seed, bool points, std::span<const std::uint32_t> given)
      : Drawn(seed), priorities_(PrioritiesSeed(seed)) {
    // A program comes to some thousand sites, or to some dozen points.
    const std::uint64_t bits = points ? sequence_.Below(6) : 3 + sequence_.Below(8);
    sites_.mask = (1u << bits) - 1;
    sites_.site = static_cast<std::uint32_t>(sequence_.Below(1ull << bits));
    between_ = sequence_.Roll(0.5)
                   ? 0
                   : static_cast<double>((points ? 4ull : 64ull) << sequence_.Below(10));
    if (given.empty()) return;
    given_[0] = given.front();
    given_[1] = given.back();
    sites_.mask = 0xffff & ~(given_[0] ^ given_[1]);
    sites_.site = given_[0] & sites_.mask;
    between_ = 0;
  }

  void Created(int thread) override { priorities_.Created(thread); }

  SiteChoice Sites() override { return sites_; }

  bool Arrived(std::uint32_t hash) override {
    if (given_[0] != kDrawn && hash != given_[0] && hash != given_[1]) return false;
    std::int64_t& left = left_[hash % std::size(left_)];
    // The mean is drawn too, from 1 to 256: the first visit is as likely meant as a late one.
    if (left == 0) left = sequence_.Wait(static_cast<double>(1ull << 2 * sequence_.Below(5)));
    if (--left > 0) return false;
    left = sequence_.Wait(kAgain);
    return true;
  }

  int Choose(const Situation& s) override {
    const int byDefault = priorities_.Default(s);
    // kStep: at a site, or after a stretch of steps.
    if (s.reason != Reason::kStep) return byDefault;
    priorities_.Preempted(s.current);
    return priorities_.Highest(s);
  }

  std::int64_t Patience() override { return between_ == 0 ? INT64_MAX : sequence_.Wait(between_); }

 private:
  static constexpr double kAgain = 4096;
  static constexpr std::uint32_t kDrawn = ~std::uint32_t(0);

  Priorities priorities_;
  SiteChoice sites_;
  std::uint32_t given_[2] = {kDrawn, kDrawn};  // the hashes, if they were given
  double between_;  // mean of the steps between two other changes; 0: there are none
  std::int64_t left_[4096] = {};  // by hash: visits until the next change; 0: not drawn yet
};

template <class S, class... Args>
Strategy* Make(Args... args) {
  alignas(S) static unsigned char storage[sizeof(S)];
  return new (storage) S(args...);
}

}  // namespace

bool ParseStrategy(std::string_view whole, StrategyChoice* out, std::string* problem) {
  StrategyChoice choice;
  const std::string_view text = whole.substr(0, whole.find('@'));
  const std::string_view where = whole.substr(text.size());
  if (where == kAtPoints) {
    choice.where = StrategyChoice::kPoints;
  } else if (where == kAtMemory) {
    choice.where = StrategyChoice::kMemory;
  } else if (!where.empty()) {
    *problem = "strategy \"" + std::string(whole) + "\": there are @points and @memory";
    return false;
  }
  const std::string_view name = text.substr(0, text.find(':'));
  const std::pair<std::string_view, StrategyChoice::Kind> names[] = {
      {"default", StrategyChoice::kDefault}, {"random", StrategyChoice::kRandom},
      {"burst", StrategyChoice::kBurst},     {"pct", StrategyChoice::kPct},
      {"starve", StrategyChoice::kStarve},   {"mix", StrategyChoice::kMix},
      {"sites", StrategyChoice::kSites},     {"bounded", StrategyChoice::kBounded}};
  const auto* found = std::find_if(std::begin(names), std::end(names),
                                   [&](const auto& entry) { return entry.first == name; });
  if (found == std::end(names)) {
    *problem = "unknown strategy \"" + std::string(text) +
               "\"; there are random, burst, pct:DEPTH, starve, sites, mix, bounded:BOUND, default";
    return false;
  }
  choice.kind = found->second;
  if (choice.kind == StrategyChoice::kBounded) choice.depth = kUsualBound;
  if (name.size() < text.size()) {
    const std::string_view number = text.substr(name.size() + 1);
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), choice.depth);
    const bool pct = choice.kind == StrategyChoice::kPct;
    const bool takes = pct || choice.kind == StrategyChoice::kBounded;
    if (!takes || parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() ||
        choice.depth < (pct ? 1 : 0) || choice.depth > (pct ? 64 : 9)) {
      *problem =
          "strategy \"" + std::string(text) +
          "\": pct takes a depth, from 1 to 64, bounded a bound, from 0 to 9, others nothing";
      return false;
    }
  }
  const bool asked = choice.kind == StrategyChoice::kPct || choice.kind == StrategyChoice::kBurst ||
                     choice.kind == StrategyChoice::kStarve ||
                     choice.kind == StrategyChoice::kSites;
  if (choice.where != StrategyChoice::kSteps && !asked) {
    *problem = "strategy \"" + std::string(whole) + "\": " + std::string(where) +
               " is for pct, burst, starve and sites";
    return false;
  }
  *out = choice;
  return true;
}

namespace {

std::string NameOf(const StrategyChoice& choice) {
  switch (choice.kind) {
    case StrategyChoice::kDefault:
      return "default";
    case StrategyChoice::kRandom:
      return "random";
    case StrategyChoice::kBurst:
      return "burst";
    case StrategyChoice::kPct:
      return "pct:" + std::to_string(choice.depth);
    case StrategyChoice::kStarve:
      return "starve";
    case StrategyChoice::kSites:
      return "sites";
    case StrategyChoice::kMix:
      return "mix";
    case StrategyChoice::kBounded:
      return "bounded:" + std::to_string(choice.depth);
  }
  return "";
}

}  // namespace

std::string ShowStrategy(const StrategyChoice& choice) {
  constexpr std::string_view kWhere[] = {"", kAtPoints, kAtMemory};
  return NameOf(choice) + std::string(kWhere[choice.where]);
}

StrategyChoice ForRun(const StrategyChoice& choice, std::uint64_t run) {
  if (choice.kind != StrategyChoice::kMix) return choice;
  constexpr auto kPct = StrategyChoice::kPct;
  constexpr auto kBurst = StrategyChoice::kBurst;
  constexpr auto kStarve = StrategyChoice::kStarve;
  constexpr auto kPoints = StrategyChoice::kPoints;
  constexpr auto kMemory = StrategyChoice::kMemory;
  constexpr StrategyChoice kTurns[] = {
      {kPct, 2},
      {kPct, 3, kPoints},
      {kBurst, 0, kPoints},
      {kPct, 3},
      {kPct, 5, kPoints},
      {kPct, 2, kMemory},
      {kStarve, 0},
      {kPct, 2, kPoints},
      {kBurst, 0},
      {kBurst, 0, kMemory},
      {kPct, 5},
      {kPct, 3, kPoints},
      {kPct, 1},
      {kBurst, 0, kPoints},
      {kPct, 5, kPoints},
      {kPct, 3, kMemory},
      {kPct, 2},
      {kStarve, 0, kPoints},
      {kPct, 3},
      {kBurst, 0, kMemory},
  };
  constexpr std::size_t kCount = std::size(kTurns);
  // A run of random takes as long as twenty of most others.
  constexpr std::uint64_t kSeldom = 64;
  if (run % kSeldom == kSeldom - 1) return {StrategyChoice::kRandom, 0};
  // Runs by sites are cheap: two or three take as long as one of the others.
  constexpr auto kSites = StrategyChoice::kSites;
  constexpr StrategyChoice kBySites[] = {
      {kSites, 0, kMemory}, {kSites, 0, kPoints}, {kSites, 0, kMemory}, {kSites, 0}};
  if (run % 2 == 1) return kBySites[run / 2 % std::size(kBySites)];
  return kTurns[run / 2 % kCount];
}

Strategy* MakeStrategy(const StrategyChoice& choice, std::uint64_t seed, std::uint64_t k,
                       bool points, std::span<const std::uint32_t> sites) {
  switch (choice.kind) {
    case StrategyChoice::kRandom:
      return Make<Random>(seed);
    case StrategyChoice::kBurst:
      return Make<Burst>(seed);
    case StrategyChoice::kPct:
      return Make<Pct>(seed, choice.depth, k);
    case StrategyChoice::kStarve:
      return Make<Starve>(seed);
    case StrategyChoice::kSites:
      return Make<AtSites>(seed, points, sites);
    case StrategyChoice::kDefault:
    case StrategyChoice::kMix:
    case StrategyChoice::kBounded:
      break;
  }
  return Make<Default>();
}

Rule* MakeRule(const StrategyChoice& choice, std::uint64_t seed) {
  static Rotation rotation;
  if (choice.kind != StrategyChoice::kPct && choice.kind != StrategyChoice::kSites)
    return &rotation;
  alignas(Priorities) static unsigned char storage[sizeof(Priorities)];
  return new (storage) Priorities(PrioritiesSeed(seed));
}

}  // namespace gort::chaos
