#include "chaos/arguments.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "chaos/nearest.h"

namespace gort::chaos {

Arguments::Arguments(const std::vector<std::string>& words, const std::string& command,
                     const std::vector<std::string>& withValue,
                     const std::vector<std::string>& without)
    : command_(command) {
  std::vector<std::string> known = withValue;
  known.insert(known.end(), without.begin(), without.end());
  known.insert(known.end(), {"--help", "-h"});
  auto has = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  for (std::size_t i = 0; i < words.size(); i++) {
    if (words[i] == "--") {
      rest_.assign(words.begin() + static_cast<std::ptrdiff_t>(i) + 1, words.end());
      return;
    }
    if (!words[i].starts_with("-")) {
      names_.push_back(words[i]);
      continue;
    }
    const std::size_t equals = words[i].find('=');
    const std::string name = words[i].substr(0, equals);
    if (has(withValue, name)) {
      if (equals != std::string::npos)
        values_[name].push_back(words[i].substr(equals + 1));
      else if (i + 1 < words.size())
        values_[name].push_back(words[++i]);
      else
        Fail(name + " wants a value");
    } else if (has(known, name) && equals == std::string::npos) {
      values_[name];
    } else {
      Fail("unknown option " + words[i] + DidYouMean(name, known));
    }
  }
}

bool Arguments::AskForHelp(const char* help) const {
  if (!Has("--help") && !Has("-h")) return false;
  std::printf("%s", help);
  return true;
}

void Arguments::Fail(const std::string& problem) {
  if (problem_.empty()) problem_ = problem;
}

std::vector<std::string> Arguments::All(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>{} : found->second;
}

std::string Arguments::Last(const std::string& name) const {
  const std::vector<std::string> all = All(name);
  return all.empty() ? "" : all.back();
}

long long Arguments::Number(const std::string& name, long long otherwise, long long least,
                            long long most) {
  if (!Has(name)) return otherwise;
  const std::string text = Last(name);
  long long n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size() || n < least || n > most)
    Fail(name + " wants a number from " + std::to_string(least) + " to " + std::to_string(most) +
         ", not \"" + text + "\"");
  return n;
}

double Arguments::Seconds(const std::string& name) {
  if (!Has(name)) return 0;
  const double seconds = ParseDuration(Last(name));
  if (seconds <= 0)
    Fail(name + " wants a duration such as 90s, 30m or 2h, not \"" + Last(name) + "\"");
  return seconds;
}

double Arguments::Probability(const std::string& name, double otherwise) {
  if (!Has(name)) return otherwise;
  const std::string text = Last(name);
  double p = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), p);
  if (error != std::errc() || end != text.data() + text.size() || !(p >= 0 && p <= 1))
    Fail(name + " wants a probability from 0 to 1, not \"" + text + "\"");
  return p;
}

std::vector<std::string> Arguments::Given() const {
  std::vector<std::string> names;
  for (const auto& [name, values] : values_) names.push_back(name);
  return names;
}

Subject Arguments::Program() {
  Subject subject;
  const bool trace = command_ == "replay" || command_ == "shrink" || command_ == "report";
  const std::string wanted = trace ? "trace" : "program";
  if (names_.empty()) Fail(command_ + " wants a " + wanted);
  if (names_.size() > 1)
    Fail(command_ + " wants one " + wanted + "; arguments of a program stand behind --, not " +
         names_[1]);
  if (!names_.empty()) subject.path = names_[0];
  subject.arguments = rest_;
  subject.timeoutSeconds = static_cast<int>(Number("--timeout", 60, 1, 86400));
  return subject;
}

int WrongUse(const std::string& problem, const std::string& help) {
  std::fprintf(stderr, "chaos: %s\nTry: ./bazelw run //chaos -- %s\n", problem.c_str(),
               help.c_str());
  return kWrongUse;
}

}  // namespace gort::chaos
