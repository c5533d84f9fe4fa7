// storm and faults alone, for their tests.

#include <string>
#include <vector>

#include "chaos/faults_command.h"
#include "chaos/storm_command.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + (argc < 2 ? 1 : 2), argv + argc);
  const std::string command = argc < 2 ? "" : argv[1];
  if (command == "faults") return gort::chaos::FaultsFromArguments(arguments);
  return gort::chaos::StormFromArguments(arguments);
}
