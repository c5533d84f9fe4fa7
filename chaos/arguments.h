// The command line behind a command's word: NAME... [OPTION...] [-- ARGUMENT...].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "chaos/campaign.h"

namespace gort::chaos {

class Arguments {
 public:
  // Options with a value may be given as --name value or --name=value, several times; --help and -h
  // are always known. The first mistake is kept in problem.
  Arguments(const std::vector<std::string>& words, const std::string& command,
            const std::vector<std::string>& withValue, const std::vector<std::string>& without);

  // AskForHelp prints the text if help is asked for, whatever else is, and tells so.
  bool AskForHelp(const char* help) const;

  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  std::vector<std::string> All(const std::string& name) const;
  std::string Last(const std::string& name) const;
  // The last value as a number from least to most, `otherwise` if the option is not given.
  long long Number(const std::string& name, long long otherwise, long long least, long long most);
  // The last value as a duration, 0 if the option is not given.
  double Seconds(const std::string& name);
  // The last value as a probability, `otherwise` if the option is not given.
  double Probability(const std::string& name, double otherwise);
  // The program with its arguments and --timeout.
  Subject Program();

  // What is no option.
  const std::vector<std::string>& names() const { return names_; }
  // What stands behind --.
  const std::vector<std::string>& rest() const { return rest_; }
  // The options that are given.
  std::vector<std::string> Given() const;

  const std::string& problem() const { return problem_; }
  void Fail(const std::string& problem);

 private:
  std::string command_;
  std::vector<std::string> names_;
  std::vector<std::string> rest_;
  std::map<std::string, std::vector<std::string>> values_;
  std::string problem_;
};

// WrongUse says on standard error what is wrong, and which words of the tool tell more ("storm
// --help"); returns kWrongUse.
int WrongUse(const std::string& problem, const std::string& help);

}  // namespace gort::chaos
