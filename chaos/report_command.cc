#include "chaos/report_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "chaos/chrometrace.h"
#include "chaos/events.h"
#include "chaos/markup.h"
#include "chaos/page.h"
#include "chaos/story.h"

namespace gort::chaos {

namespace {

constexpr int kGood = 0;
constexpr int kUsage = 2;
constexpr int kBroken = 3;

// A limit on the size of files is an error like a full disk, not the end of the program.
class IgnoreFileSizeSignal {
 public:
  IgnoreFileSizeSignal() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &ignore, &before_);
  }
  ~IgnoreFileSizeSignal() { sigaction(SIGXFSZ, &before_, nullptr); }
  IgnoreFileSizeSignal(const IgnoreFileSizeSignal&) = delete;
  IgnoreFileSizeSignal& operator=(const IgnoreFileSizeSignal&) = delete;

 private:
  struct sigaction before_ = {};
};

// WriteAll returns 0 or the error's number.
int WriteAll(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : ENOSPC;
    done += static_cast<std::size_t>(n);
  }
  return 0;
}

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

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code ignored;
  return a == b || std::filesystem::equivalent(a, b, ignored);
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

std::string WriteWhole(const std::string& path, const std::string& text) {
  const IgnoreFileSizeSignal ignore;
  auto failed = [&](int error) { return path + ": cannot be written: " + std::strerror(error); };
  // A link stays, and what it leads to is replaced.
  std::error_code unresolved;
  std::string target = std::filesystem::weakly_canonical(path, unresolved).string();
  if (unresolved || target.empty()) target = path;
  struct stat is = {};
  const bool exists = stat(target.c_str(), &is) == 0;
  if (exists && S_ISDIR(is.st_mode)) return failed(EISDIR);
  if (exists && !S_ISREG(is.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return failed(errno);
    const int wrong = WriteAll(fd, text);
    const int closed = close(fd) == 0 ? 0 : errno;
    return wrong != 0 ? failed(wrong) : closed != 0 ? failed(closed) : "";
  }

  std::string temporary = target + ".tmp.XXXXXX";
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return failed(errno);
  int wrong = WriteAll(fd, text);
  const mode_t mask = umask(0);
  umask(mask);
  const mode_t mode = exists ? is.st_mode & 0777 : 0666 & ~mask;
  if (wrong == 0 && fchmod(fd, mode) != 0) wrong = errno;
  if (wrong == 0 && fsync(fd) != 0) wrong = errno;
  if (close(fd) != 0 && wrong == 0) wrong = errno;
  if (wrong == 0 && rename(temporary.c_str(), target.c_str()) != 0) wrong = errno;
  if (wrong == 0) return "";
  unlink(temporary.c_str());
  return failed(wrong);
}

int ReportCommand(const ReportOptions& options) {
  auto read = ReadEvents(options.file);
  if (const auto* problem = std::get_if<std::string>(&read)) return Complain(*problem, kUsage);
  Run& run = std::get<Run>(read);
  if (!options.replay.empty()) run.replay = options.replay;
  const std::string page = options.output.empty() ? DefaultOutput(options.file) : options.output;
  if (SameFile(page, options.file) || SameFile(options.chrome, options.file))
    return Complain("the output would replace the events file " + options.file, kUsage);
  if (page == options.chrome)
    return Complain("the page and the Chrome trace cannot be one file, " + page, kUsage);

  if (const std::string wrong = WriteWhole(page, Page(run)); !wrong.empty())
    return Complain(wrong, kBroken);
  if (!options.chrome.empty())
    if (const std::string wrong = WriteWhole(options.chrome, ChromeTrace(run)); !wrong.empty())
      return Complain(wrong, kBroken);
  if (!run.notice.empty()) std::fprintf(stderr, "chaos: %s\n", run.notice.c_str());
  std::string said = options.json ? Summary(run, options, page) : page + "\n";
  if (!options.json && !options.chrome.empty()) said += options.chrome + "\n";
  std::fputs(said.c_str(), stdout);
  return std::fflush(stdout) == 0 ? kGood : Complain("standard output cannot be written", kBroken);
}

}  // namespace gort::chaos
