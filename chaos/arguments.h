// The command line of storm and faults: PROGRAM [OPTION...] [-- ARGUMENT...].
#pragma once

#include <map>
#include <string>
#include <vector>

#include "chaos/campaign.h"

namespace gort::chaos {

class Arguments {
 public:
  // Options with a value may be given as --name value or --name=value, several times. The first
  // mistake is kept in problem.
  Arguments(const std::vector<std::string>& words, const std::string& command,
            const std::vector<std::string>& withValue, const std::vector<std::string>& without);

  bool Has(const std::string& name) const { return values_.count(name) > 0; }
  std::vector<std::string> All(const std::string& name) const;
  std::string Last(const std::string& name) const;
  // The last value as a number from least to most, `otherwise` if the option is not given.
  long long Number(const std::string& name, long long otherwise, long long least, long long most);
  // The last value as a duration, 0 if the option is not given.
  double Seconds(const std::string& name);
  // The program with its arguments and --timeout.
  Subject Program();

  const std::string& problem() const { return problem_; }

 private:
  void Fail(const std::string& problem);

  std::string command_;
  std::vector<std::string> names_;  // what is no option: the program
  std::vector<std::string> rest_;  // behind --
  std::map<std::string, std::vector<std::string>> values_;
  std::string problem_;
};

}  // namespace gort::chaos
