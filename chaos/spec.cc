#include "chaos/spec.h"

#include <cctype>
#include <iterator>
#include <limits>
#include <optional>

#include "chaos/locks.h"
#include "chaos/nearest.h"

namespace gort::chaos {

namespace {

// The actions without an argument.
struct PlainAction {
  std::string_view name;
  Action::Kind kind;
  Request request = Request::kCount;
};
constexpr PlainAction kPlainActions[] = {
    {"off", Action::kOff},
    {"yield", Action::kYield},
    {"movestack", Action::kMoveStack},
    {"preempt", Action::kPreempt},
    {"enomem", Action::kFail},
    {"collect", Action::kAsk, Request::kCollect},
    {"stoptheworld", Action::kAsk, Request::kStopWorld},
    {"barrier", Action::kAsk, Request::kBarrier},
    {"shrink", Action::kAsk, Request::kShrink},
    {"retake", Action::kAsk, Request::kRetake},
};
// Not vectors: they are read before this file's objects may have been made.
constexpr std::string_view kActions[] = {"off",     "throw",   "delay",        "yield",   "print",
                                         "hold",    "await",   "movestack",    "signal",  "starve",
                                         "preempt", "collect", "stoptheworld", "barrier", "shrink",
                                         "retake",  "enomem"};
constexpr std::string_view kConditions[] = {"holding", "after", "visit", "suspending"};

std::string ActionNames() {
  std::string text;
  for (const std::string_view name : kActions) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

// Recursive descent without backtracking. The first error is kept, and everything after it gives up
// at once.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::variant<std::vector<Rule>, SpecError> Run() {
    std::vector<Rule> rules;
    do {
      rules.push_back(ReadRule());
    } while (!failed_ && Take(";"));
    if (!failed_ && !AtEnd()) Fail("expected \"->\", \";\" or the end");
    if (failed_) return error_;
    return rules;
  }

 private:
  void Fail(std::string message) { FailAt(position_, std::move(message)); }
  void FailAt(std::size_t position, std::string message) {
    if (failed_) return;
    failed_ = true;
    error_ = {position, std::move(message)};
  }

  void SkipBlanks() {
    while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])))
      position_++;
  }
  bool AtEnd() {
    SkipBlanks();
    return position_ == text_.size();
  }
  bool Take(std::string_view token) {
    SkipBlanks();
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    return true;
  }
  void Expect(std::string_view token) {
    if (!failed_ && !Take(token)) Fail("expected \"" + std::string(token) + "\"");
  }

  // Letters of names and, for patterns, `*`.
  std::string_view ReadName(std::string_view extra) {
    SkipBlanks();
    const std::size_t start = position_;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' &&
          extra.find(c) == std::string_view::npos)
        break;
      position_++;
    }
    return text_.substr(start, position_ - start);
  }

  std::optional<std::int64_t> ReadNumber() {
    SkipBlanks();
    const std::size_t start = position_;
    std::int64_t n = 0;
    while (position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_]))) {
      if (n > (std::numeric_limits<std::int64_t>::max() - 9) / 10) {
        FailAt(start, "the number is too large");
        return std::nullopt;
      }
      n = n * 10 + (text_[position_++] - '0');
    }
    if (position_ == start) return std::nullopt;
    return n;
  }

  std::int64_t ExpectNumber(std::string_view what, std::int64_t least) {
    if (failed_) return 0;
    SkipBlanks();
    const std::size_t start = position_;
    const auto n = ReadNumber();
    if (!n) {
      Fail("expected " + std::string(what));
      return 0;
    }
    if (*n < least) FailAt(start, "expected " + std::string(what));
    return *n;
  }

  Point ExpectPoint() {
    if (failed_) return {};
    SkipBlanks();
    const std::size_t start = position_;
    const std::string_view name = ReadName("");
    if (name.empty()) {
      Fail("expected the name of a point");
      return {};
    }
    const auto point = FindPoint(name);
    if (!point) FailAt(start, UnknownPoint(name));
    return point.value_or(Point{});
  }

  // Up to the closing parenthesis, which it leaves.
  std::string ReadText() {
    std::string text;
    const std::size_t start = position_;
    while (position_ < text_.size() && text_[position_] != ')') {
      if (text_[position_] == '\\' && position_ + 1 < text_.size()) position_++;
      text += text_[position_++];
    }
    if (text.empty()) FailAt(start, "expected a text");
    return text;
  }

  Rule ReadRule() {
    Rule rule;
    SkipBlanks();
    const std::size_t start = position_;
    const std::string_view pattern = ReadName("*");
    if (pattern.empty()) {
      Fail("expected the name of a point");
      return rule;
    }
    rule.points = MatchPoints(pattern);
    if (rule.points.empty()) FailAt(start, UnknownPoint(pattern));
    Expect("=");
    do {
      if (failed_) break;
      rule.terms.push_back(ReadTerm());
      if (!failed_ && rule.terms.back().action.kind == Action::kFail) CheckCanFail(rule, start);
    } while (!failed_ && Take("->"));
    return rule;
  }

  void CheckCanFail(const Rule& rule, std::size_t start) {
    for (const Point p : rule.points)
      if (!CanFail(p))
        FailAt(start, std::string("enomem at ") + PointName(p) +
                          ", where nothing is asked for that could fail; *_mmap names the points "
                          "where it is");
  }

  // A percentage, with a fraction or without, then a count; both may be missing. A number that is
  // followed by neither sign is an error at that place.
  void ReadLimits(Term* term) {
    auto n = ReadNumber();
    if (!n) return;
    std::size_t start = position_;
    double percent = static_cast<double>(*n);
    bool fraction = false;
    if (position_ < text_.size() && text_[position_] == '.') {
      position_++;
      fraction = true;
      for (double digit = 0.1;
           position_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[position_]));
           digit /= 10)
        percent += digit * (text_[position_++] - '0');
    }
    if (Take("%")) {
      if (percent <= 0 || percent > 100)
        FailAt(start, "a probability is above 0% and at most 100%");
      term->probability = percent / 100;
      n = ReadNumber();
      if (!n) return;
      start = position_;
      fraction = false;
    }
    if (fraction || !Take("*")) {
      Fail(fraction ? "expected \"%\"" : "expected \"%\" or \"*\" behind the number");
      return;
    }
    if (*n == 0) FailAt(start, "a term that fires 0 times never does; say off");
    term->count = *n;
  }

  Term ReadTerm() {
    Term term;
    for (;;) {
      ReadLimits(&term);
      if (failed_) return term;
      const bool limited = term.count >= 0 || term.probability < 1;
      SkipBlanks();
      const std::size_t start = position_;
      const std::string_view name = ReadName("");
      if (name == "holding" || name == "after" || name == "visit" || name == "suspending") {
        if (limited) FailAt(start, "conditions stand in front of the probability and the count");
        term.conditions.push_back(ReadCondition(name));
        Expect(":");
        if (failed_) return term;
        continue;
      }
      term.action = ReadAction(name, start);
      return term;
    }
  }

  Condition ReadCondition(std::string_view name) {
    Condition condition{};
    Expect("(");
    if (name == "holding") {
      condition.kind = Condition::kHolding;
      SkipBlanks();
      const std::size_t start = position_;
      condition.lock = ReadName(".");
      if (!failed_ && !IsLockName(condition.lock)) {
        FailAt(start, condition.lock.empty() ? "expected the name of a lock"
                                             : "unknown lock \"" + condition.lock + "\"" +
                                                   DidYouMean(condition.lock, LockNames()));
      }
    } else if (name == "after") {
      condition.kind = Condition::kAfter;
      condition.point = ExpectPoint();
    } else if (name == "suspending") {
      condition.kind = Condition::kSuspending;
      condition.number = ExpectNumber("the number of a goroutine, 1 or more", 1);
    } else {
      condition.kind = Condition::kVisit;
      condition.number = ExpectNumber("the number of the visit, 1 or more", 1);
    }
    Expect(")");
    return condition;
  }

  // Whom a signal goes to.
  std::int64_t ReadTarget() {
    SkipBlanks();
    const std::size_t start = position_;
    if (const auto m = ReadNumber()) return *m;
    const std::string_view name = ReadName("");
    if (name == "process") return Action::kProcess;
    if (name == "any") return Action::kAnyM;
    FailAt(start, "expected process, any or the number of an M");
    return Action::kThisThread;
  }

  Action ReadAction(std::string_view name, std::size_t start) {
    Action action;
    for (const PlainAction& plain : kPlainActions) {
      if (name != plain.name) continue;
      action.kind = plain.kind;
      action.request = plain.request;
      return action;
    }
    if (name == "throw" || name == "print") {
      action.kind = name == "throw" ? Action::kThrow : Action::kPrint;
      Expect("(");
      if (!failed_) action.text = ReadText();
    } else if (name == "delay" || name == "starve") {
      action.kind = name == "delay" ? Action::kDelay : Action::kStarve;
      Expect("(");
      action.number = ExpectNumber("microseconds, from 1 to 60000000", 1);
      if (action.number > 60000000)
        Fail("a " + std::string(name) + " is at most 60000000 microseconds");
    } else if (name == "signal") {
      action.kind = Action::kSignal;
      Expect("(");
      action.number = ExpectNumber("the number of a signal, from 1 to 64", 1);
      if (action.number > 64) Fail("signals are numbered from 1 to 64");
      if (!failed_ && Take(",")) action.target = ReadTarget();
    } else if (name == "hold" || name == "await") {
      action.kind = name == "hold" ? Action::kHold : Action::kAwait;
      Expect("(");
      action.point = ExpectPoint();
    } else {
      std::vector<std::string> known(std::begin(kActions), std::end(kActions));
      known.insert(known.end(), std::begin(kConditions), std::end(kConditions));
      FailAt(start, name.empty()
                        ? "expected an action (" + ActionNames() + ")"
                        : "unknown action \"" + std::string(name) + "\"" + DidYouMean(name, known));
      return action;
    }
    Expect(")");
    return action;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  bool failed_ = false;
  SpecError error_;
};

}  // namespace

std::variant<std::vector<Rule>, SpecError> ParseSpec(std::string_view text) {
  return Parser(text).Run();
}

std::string ShowSpecError(std::string_view text, const SpecError& error) {
  std::string shown(text);
  for (char& c : shown)
    if (std::iscntrl(static_cast<unsigned char>(c))) c = ' ';
  return "column " + std::to_string(error.position + 1) + ": " + error.message + "\n  " + shown +
         "\n  " + std::string(error.position, ' ') + "^\n";
}

}  // namespace gort::chaos
