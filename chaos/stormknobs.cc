#include "chaos/stormknobs.h"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "chaos/nearest.h"

namespace gort::chaos {

namespace {

constexpr std::string_view kActionNames[] = {"yield",        "delay",   "preempt",
                                             "movestack",    "shrink",  "collect",
                                             "stoptheworld", "barrier", "retake"};
static_assert(std::size(kActionNames) == kStormActionCount);

struct SignalKind {
  std::string_view name;
  int number;
};
constexpr SignalKind kSignalKinds[] = {
    {"URG", SIGURG}, {"HUP", SIGHUP}, {"PROF", SIGPROF}, {"CHLD", SIGCHLD}};

// The longest time that a knob may be, or that lies between two signals: an hour.
constexpr std::int64_t kMostMicros = 3'600'000'000;

// Not a vector: it is read before this file's objects may have been made.
constexpr std::string_view kKnobs[] = {
    "seed",      "sites",  "fires",    "focus",        "yield",   "delay",  "preempt",
    "movestack", "shrink", "collect",  "stoptheworld", "barrier", "retake", "longest",
    "pause",     "starve", "interval", "signals",      "kinds",   "enomem", "report"};

// One "name=value" after the other; the first error is kept.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::variant<StormKnobs, SpecError> Run() {
    std::size_t at = 0;
    while (!failed_ && at < text_.size()) {
      const std::size_t end = std::min(text_.find(',', at), text_.size());
      ReadKnob(at, end);
      at = end + 1;
      if (end + 1 == text_.size()) Fail(end + 1, "expected a knob behind the comma");
    }
    if (!failed_ && *std::max_element(knobs_.weights.begin(), knobs_.weights.end()) == 0)
      knobs_.sites = 0;
    if (failed_) return error_;
    if (knobs_.kinds.empty()) {
      for (const SignalKind& kind : kSignalKinds)
        if (kind.number != SIGHUP || knobs_.seed % 4 == 3) knobs_.kinds.push_back(kind.number);
    }
    return knobs_;
  }

 private:
  void Fail(std::size_t position, std::string message) {
    if (failed_) return;
    failed_ = true;
    error_ = {position, std::move(message)};
  }

  void ReadKnob(std::size_t begin, std::size_t end) {
    const std::string_view knob = text_.substr(begin, end - begin);
    const std::size_t equals = knob.find('=');
    const std::string name(knob.substr(0, equals));
    if (std::find(std::begin(kKnobs), std::end(kKnobs), name) == std::end(kKnobs)) {
      Fail(begin, name.empty() ? "expected the name of a knob"
                               : "unknown knob \"" + name + "\"" +
                                     DidYouMean(name, {std::begin(kKnobs), std::end(kKnobs)}));
      return;
    }
    if (equals == std::string_view::npos) {
      Fail(end, "expected \"=\"");
      return;
    }
    const std::string_view value = knob.substr(equals + 1);
    const std::size_t at = begin + equals + 1;
    for (int i = 0; i < kStormActionCount; i++)
      if (name == kActionNames[i]) knobs_.weights[static_cast<std::size_t>(i)] = Weight(value, at);
    if (name == "seed") knobs_.seed = Number<std::uint64_t>(value, at, 0);
    if (name == "sites") knobs_.sites = Share(value, at);
    if (name == "fires") knobs_.fires = Share(value, at);
    if (name == "starve") knobs_.starve = Share(value, at);
    if (name == "enomem") knobs_.enomem = Share(value, at);
    if (name == "longest") knobs_.longestMicros = Number<std::int64_t>(value, at, 1, kMostMicros);
    if (name == "pause") knobs_.pauseMicros = Number<std::int64_t>(value, at, 0, kMostMicros);
    if (name == "interval") knobs_.intervalMicros = Number<std::int64_t>(value, at, 1, kMostMicros);
    if (name == "signals") knobs_.signals = Weight(value, at);
    if (name == "report") knobs_.report = Number<std::int64_t>(value, at, 0) != 0;
    if (name == "focus" || name == "kinds") ReadList(name, value, at);
  }

  void ReadList(const std::string& name, std::string_view value, std::size_t at) {
    for (std::size_t from = 0; from <= value.size() && !failed_;) {
      const std::size_t plus = std::min(value.find('+', from), value.size());
      const std::string_view word = value.substr(from, plus - from);
      if (name == "focus") {
        const std::vector<Point> points = MatchPoints(word);
        if (points.empty()) Fail(at + from, UnknownPoint(word));
        knobs_.focus.insert(knobs_.focus.end(), points.begin(), points.end());
      } else {
        const auto* kind = std::find_if(std::begin(kSignalKinds), std::end(kSignalKinds),
                                        [&](const SignalKind& k) { return k.name == word; });
        if (kind == std::end(kSignalKinds))
          Fail(at + from, "expected URG, HUP, PROF or CHLD");
        else
          knobs_.kinds.push_back(kind->number);
      }
      from = plus + 1;
    }
  }

  template <class T>
  T Number(std::string_view value, std::size_t at, T least,
           T most = std::numeric_limits<T>::max()) {
    T n{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), n);
    if (error != std::errc() || end != value.data() + value.size() || n < least)
      Fail(at, "expected a number of at least " + std::to_string(least));
    else if (n > most)
      Fail(at, "expected a number of at most " + std::to_string(most));
    return n;
  }

  double Weight(std::string_view value, std::size_t at) {
    double x = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), x);
    if (error != std::errc() || end != value.data() + value.size() || !(x >= 0) || x > 1e6)
      Fail(at, "expected a number from 0 to 1000000");
    return x;
  }

  // "12.5%".
  double Share(std::string_view value, std::size_t at) {
    if (!value.ends_with('%')) {
      Fail(at, "expected a share, as in 12.5%");
      return 0;
    }
    double x = 0;
    const char* last = value.data() + value.size() - 1;
    const auto [end, error] = std::from_chars(value.data(), last, x);
    if (error != std::errc() || end != last || !(x >= 0) || x > 100)
      Fail(at, "expected a share from 0% to 100%");
    return x / 100;
  }

  std::string_view text_;
  StormKnobs knobs_;
  bool failed_ = false;
  SpecError error_;
};

}  // namespace

std::string_view StormActionName(StormAction a) { return kActionNames[static_cast<int>(a)]; }

std::variant<StormKnobs, SpecError> ParseStorm(std::string_view text) { return Parser(text).Run(); }

Sites PlanSites(const StormKnobs& knobs) {
  Sites sites;
  double total = 0;
  for (const double weight : knobs.weights) total += weight;
  for (int i = 0; i < kPointCount; i++) {
    const Point p = static_cast<Point>(i);
    if (!knobs.focus.empty() &&
        std::find(knobs.focus.begin(), knobs.focus.end(), p) == knobs.focus.end())
      continue;
    Dice dice(MixName(knobs.seed, PointName(p)));
    Site& site = sites[static_cast<std::size_t>(i)];
    site.active = dice.Uniform() < knobs.sites;
    double left = dice.Uniform() * total;
    for (int a = 0; a < kStormActionCount; a++) {
      const double weight = knobs.weights[static_cast<std::size_t>(a)];
      if (weight == 0) continue;
      site.action = static_cast<StormAction>(a);  // the last one, should rounding leave a rest
      if (left < weight) break;
      left -= weight;
    }
  }
  return sites;
}

Starvation StarvationIn(const StormKnobs& knobs, std::uint64_t number) {
  Dice dice(Mix(MixName(knobs.seed, "starve") + number));
  Starvation s;
  s.active = dice.Uniform() < knobs.starve;
  s.draw = dice.Next();
  return s;
}

NextSignal DrawSignal(const StormKnobs& knobs, Dice* dice) {
  NextSignal next;
  const double wait = -std::log1p(-dice->Uniform()) * 1e6 / knobs.signals;
  next.waitMicros = static_cast<std::int64_t>(std::min(wait, static_cast<double>(kMostMicros)));
  next.signal = knobs.kinds[dice->Below(knobs.kinds.size())];
  next.toProcess = dice->Uniform() < 0.5;
  return next;
}

std::int64_t DrawDelay(const StormKnobs& knobs, Dice* dice) {
  const auto longest = static_cast<double>(knobs.longestMicros);
  return static_cast<std::int64_t>(std::exp(dice->Uniform() * std::log(longest)));
}

}  // namespace gort::chaos
