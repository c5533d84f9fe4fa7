// report_main FILE [OUTPUT.html [CHROME.json]]: ReportCommand alone, for tests. With REPORT_JSON set
// in the environment it prints the summary.

#include <cstdlib>

#include "chaos/report_command.h"

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  gort::chaos::ReportOptions options;
  options.file = argv[1];
  if (argc > 2) options.output = argv[2];
  if (argc > 3) options.chrome = argv[3];
  options.json = std::getenv("REPORT_JSON") != nullptr;
  return gort::chaos::ReportCommand(options);
}
