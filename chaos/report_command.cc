#include "chaos/report_command.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "chaos/chrometrace.h"
#include "chaos/events.h"
#include "chaos/exit_status.h"
#include "chaos/markup.h"
#include "chaos/page.h"
#include "chaos/story.h"
#include "chaos/wholefile.h"

namespace gort::chaos {

namespace {

std::string Summary(const Run& run, const ReportOptions& options, const std::string& page) {
  nlohmann::json out;
  out["file"] = Clean(run.file);
  out["page"] = Clean(page);
  out["chrome"] = Clean(options.chrome);
  out["program"] = Clean(run.program);
  out["args"] = nlohmann::json::array();
  for (const std::string& argument : run.arguments) out["args"].push_back(Clean(argument));
  out["build"] = Clean(run.build);
  out["seed"] = Clean(run.seed);
  out["strategy"] = Clean(run.strategy);
  out["procs"] = run.procs;
  out["outcome"] = Clean(run.outcome);
  out["detail"] = Clean(run.detail);
  out["cut_off"] = !run.ended;
  out["notice"] = Clean(run.notice);
  out["steps"] = run.steps;
  out["events"] = run.events.size();
  out["threads"] = run.threads.size();
  out["critical_switches"] = CriticalSwitches(run).size();
  out["replay"] = Clean(ReplayCommand(run));
  out["ring"] = nlohmann::json::array();
  for (const RingEdge& edge : RingOf(run))
    out["ring"].push_back(
        {{"from", Clean(edge.from)}, {"what", Clean(edge.what)}, {"to", Clean(edge.to)}});
  out["story"] = nlohmann::json::array();
  for (const Sentence& sentence : Story(run)) out["story"].push_back(Clean(sentence.text));
  return out.dump() + "\n";
}

int Complain(const std::string& message, int status) {
  std::fprintf(stderr, "chaos: %s\n", message.c_str());
  return status;
}

}  // namespace

std::string DefaultOutput(const std::string& file) {
  const std::size_t name = file.find_last_of('/') + 1;
  const std::size_t dot = file.rfind('.');
  const bool hasEnding = dot != std::string::npos && dot > name;
  const std::string page = file.substr(0, hasEnding ? dot : file.size()) + ".html";
  return page == file ? file + ".html" : page;
}

int ReportCommand(const ReportOptions& options) {
  auto read = ReadEvents(options.file);
  if (const auto* problem = std::get_if<std::string>(&read)) return Complain(*problem, kWrongUse);
  Run& run = std::get<Run>(read);
  if (!options.replay.empty()) run.replay = options.replay;
  const std::string page = options.output.empty() ? DefaultOutput(options.file) : options.output;
  if (SameFile(page, options.file) || SameFile(options.chrome, options.file))
    return Complain("the output would replace the events file " + options.file, kWrongUse);
  if (SameFile(page, options.chrome))
    return Complain("the page and the Chrome trace cannot be one file, " + page, kWrongUse);

  if (const std::string wrong = WriteWhole(page, Page(run)); !wrong.empty())
    return Complain(wrong, kNothingKnown);
  if (!options.chrome.empty())
    if (const std::string wrong = WriteWhole(options.chrome, ChromeTrace(run)); !wrong.empty())
      return Complain(wrong, kNothingKnown);
  if (!run.notice.empty()) std::fprintf(stderr, "chaos: %s\n", run.notice.c_str());
  std::string said = options.json ? Summary(run, options, page) : page + "\n";
  if (!options.json && !options.chrome.empty()) said += options.chrome + "\n";
  std::fputs(said.c_str(), stdout);
  return std::fflush(stdout) == 0 ? kHeld
                                  : Complain("standard output cannot be written", kNothingKnown);
}

}  // namespace gort::chaos
