// `chaos report FILE`: draws one run of the explorer.
#pragma once

#include <string>

namespace gort::chaos {

struct ReportOptions {
  std::string file;    // the events file
  std::string output;  // the page; "" for FILE with .html in place of its ending
  std::string chrome;  // where to write a Chrome trace as well, "" for nowhere
  std::string replay;  // the command that replays the run, if the caller knows better than the file
  bool json = false;  // print a summary as JSON instead of where the page is
};

// ReportCommand returns the tool's exit status: 0 the page is there; 2 FILE is no events file that
// this tool can read; 3 an output could not be written. What is wrong is on standard error.
int ReportCommand(const ReportOptions& options);

// DefaultOutput is the page's name for an events file.
std::string DefaultOutput(const std::string& file);

}  // namespace gort::chaos
