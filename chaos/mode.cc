#include "chaos/mode.h"

#include <algorithm>

#include "chaos/nearest.h"

namespace gort::chaos {

namespace {

bool Contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// "a, b or c".
std::string Choice(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); i++)
    text += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
  return text;
}

}  // namespace

Mode ModeFrom(Arguments* arguments, const std::vector<std::string>& modes) {
  const std::vector<std::string> builds = {"plain", "tsan", "all"};
  Mode mode;
  if (arguments->Has("--build")) {
    mode.build = arguments->Last("--build");
    if (!Contains(builds, mode.build))
      arguments->Fail("--build wants " + Choice(builds) + ", not \"" + mode.build + "\"" +
                      DidYouMean(mode.build, builds));
  }
  if (!arguments->Has("--mode")) return mode;
  const std::string word = arguments->Last("--mode");
  if (word == "plain" || word == "tsan") {
    mode.build = word;
    return mode;
  }
  if (!Contains(modes, word))
    arguments->Fail("--mode wants " + Choice(modes) + ", not \"" + word + "\"" +
                    DidYouMean(word, modes));
  mode.mode = word;
  return mode;
}

void CheckOptions(Arguments* arguments, const Mode& mode, const std::vector<ModeOptions>& modes) {
  for (const std::string& option : arguments->Given()) {
    std::vector<std::string> takers;
    bool taken = false;
    for (const ModeOptions& one : modes) {
      if (!Contains(one.options, option)) continue;
      takers.push_back(one.mode);
      taken |= mode.Has(one.mode);
    }
    if (!takers.empty() && !taken)
      arguments->Fail(option + " is for --mode " + Choice(takers) + ", not for --mode " +
                      mode.mode);
  }
}

}  // namespace gort::chaos
