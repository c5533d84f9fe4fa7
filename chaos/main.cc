// The tool: ./bazelw run //chaos -- COMMAND. docs/chaos.md tells what it is good for.

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "chaos/arguments.h"
#include "chaos/explore_command.h"
#include "chaos/faults_command.h"
#include "chaos/nearest.h"
#include "chaos/points.h"
#include "chaos/repro_command.h"
#include "chaos/selection.h"
#include "chaos/storm_command.h"
#include "chaos/table.h"
#include "chaos/verify_command.h"

namespace gort::chaos {

namespace {

constexpr char kHelp[] =
    R"(chaos puts bugs of the Go runtime's history back into gort and makes them fail on demand; and it
makes your own programs fail, by injections and by the order in which their threads run.

  ./bazelw run //chaos -- COMMAND [NAME...] [OPTION...]

bugs of the history:
  list             the bugs that can be put back
  verify [BUG...]  make each bug fail without its fix, and show that it holds with it; all bugs if
                   none is named
  repro BUG        make one fail and show how: by its script, in storms, or by the explorer

your programs, built with gort_binary:
  points           the places in the runtime where something can be injected
  storm PROGRAM    run a program in storms of injections, on real threads
  faults PROGRAM   make each of a program's allocations fail in turn
  explore PROGRAM  run a program in many orders, one thread at a time
  replay TRACE     run it again as it was when it failed
  shrink TRACE     take out of that run what the failure does not need
  report TRACE     draw it, for a browser

  help             this text; COMMAND --help has the options of a command

exit status: 0 what was asked for happened (verify: every bug fails without its fix and holds with it;
repro: it is reproduced; storm, faults, explore: no run failed; replay: the same failure again); 1 it
did not; 2 wrong use; 3 a run could not be made or was cut off, so that nothing is known.

Begin with:  ./bazelw run //chaos -- verify
)";

const std::vector<std::string> kCommands = {"list",   "verify", "repro",   "points",
                                            "storm",  "faults", "explore", "replay",
                                            "shrink", "report", "help"};

void List(const History& history, bool json) {
  if (json) {
    Json out;
    out.BeginArray();
    for (const Entry& entry : history.entries) {
      const Bug& bug = entry.bug;
      out.BeginObject();
      out.Key("bug").String(bug.name).Key("commit").String(bug.commit);
      out.Key("subject").String(bug.subject).Key("date").String(bug.date);
      out.Key("issue").String(bug.issue).Key("unfixings").BeginArray();
      for (const std::string& unfixing : bug.Unfixings()) out.String(unfixing);
      out.EndArray().EndObject();
    }
    std::printf("%s\n", out.EndArray().text().c_str());
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"bug", "fixed", "without the fix", "subject"}};
  for (const Entry& entry : history.entries)
    for (const std::string& unfixing : entry.bug.Unfixings())
      rows.push_back({FullName(entry.bug, unfixing), entry.bug.date,
                      entry.bug.Expected(false, unfixing, "plain").outcome, entry.bug.subject});
  std::printf("%s", Table(rows).c_str());
}

void Points(bool json) {
  if (json) {
    Json out;
    out.BeginArray();
    for (const PointInfo& point : AllPoints()) {
      out.BeginObject().Key("name").String(point.name).Key("file").String(point.file);
      out.Key("meaning").String(point.meaning).EndObject();
    }
    std::printf("%s\n", out.EndArray().text().c_str());
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"point", "file", "what holds there"}};
  for (const PointInfo& point : AllPoints())
    rows.push_back({point.name, point.file, point.meaning});
  std::printf("%s", Table(rows).c_str());
}

// list and points.
int ListFromArguments(const std::string& argv0, const std::string& command,
                      const std::vector<std::string>& arguments) {
  Arguments line(arguments, command, {}, {"--json"});
  if (line.AskForHelp(kHelp)) return kHeld;
  if (!line.names().empty()) line.Fail(command + " takes no name");
  if (!line.problem().empty()) return WrongUse(line.problem(), "help");
  if (command == "points")
    Points(line.Has("--json"));
  else
    List(OpenHistory(argv0), line.Has("--json"));
  return kHeld;
}

int Main(const std::string& argv0, const std::vector<std::string>& arguments) {
  if (arguments.empty()) {
    std::fprintf(stderr, "%s", kHelp);
    return kWrongUse;
  }
  const std::string& command = arguments[0];
  const std::vector<std::string> rest(arguments.begin() + 1, arguments.end());
  if (command == "help" || command == "--help" || command == "-h") {
    std::printf("%s", kHelp);
    return kHeld;
  }
  if (command == "list" || command == "points") return ListFromArguments(argv0, command, rest);
  if (command == "verify") return VerifyFromArguments(argv0, rest);
  if (command == "repro") return ReproFromArguments(argv0, rest);
  if (command == "storm") return StormFromArguments(rest);
  if (command == "faults") return FaultsFromArguments(rest);
  if (std::find(kCommands.begin(), kCommands.end(), command) != kCommands.end())
    return ExploreFromArguments(command, rest);
  std::string known;
  for (const std::string& one : kCommands) known += " " + one;
  return WrongUse("unknown command " + command + DidYouMean(command, kCommands) +
                      "\nThe commands there are:" + known,
                  "help");
}

}  // namespace

}  // namespace gort::chaos

int main(int argc, char** argv) {
  return gort::chaos::Main(argv[0], std::vector<std::string>(argv + 1, argv + argc));
}
