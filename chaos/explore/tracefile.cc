#include "chaos/explore/tracefile.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "chaos/explore/strategies.h"
#include "chaos/wholefile.h"

namespace gort::chaos {

namespace {

constexpr char kFirstLine[] = "gort-trace ";
constexpr int kVersion = 4;

char LetterOf(const Deviation& d) {
  switch (d.kind) {
    case Deviation::kSwitch:
      return d.preemption ? 'p' : 's';
    case Deviation::kLeap:
      return 'l';
    case Deviation::kWake:
      return 'w';
    case Deviation::kInject:
      return 'i';
    case Deviation::kSignal:
      return 'k';
  }
  return '?';
}

bool KindOf(char letter, Deviation* d) {
  d->preemption = letter == 'p';
  switch (letter) {
    case 'p':
    case 's':
      d->kind = Deviation::kSwitch;
      return true;
    case 'l':
      d->kind = Deviation::kLeap;
      return true;
    case 'w':
      d->kind = Deviation::kWake;
      return true;
    case 'i':
      d->kind = Deviation::kInject;
      return true;
    case 'k':
      d->kind = Deviation::kSignal;
      return true;
    default:
      return false;
  }
}

constexpr const char* kSettings[] = {"GODEBUG", "GOGC", "GOMAXPROCS", "GOTRACEBACK"};

std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n')
      line += "\\n";
    else if (c == '\\')
      line += "\\\\";
    else
      line += c;
  }
  return line;
}

std::string FromOneLine(const std::string& line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); i++) {
    const bool escaped = line[i] == '\\' && i + 1 < line.size();
    if (escaped) i++;
    text += escaped && line[i] == 'n' ? '\n' : line[i];
  }
  return text;
}

// Whether `what` is one for a deviation of that kind.
bool Fits(Deviation::Kind kind, std::uint32_t what) {
  if (kind == Deviation::kSwitch || kind == Deviation::kSignal || kind == Deviation::kWake)
    return what < kMaxThreads;
  return true;
}

// "KIND THREAD STEP WHAT", and no more.
bool ParseDeviation(const std::string& line, Deviation* d) {
  const char* at = line.data();
  const char* const end = at + line.size();
  const auto number = [&](auto* value) {
    if (at == end || *at++ != ' ') return false;
    const auto parsed = std::from_chars(at, end, *value);
    at = parsed.ptr;
    return parsed.ec == std::errc();
  };
  if (at == end || !KindOf(*at++, d)) return false;
  return number(&d->thread) && number(&d->step) && number(&d->what) && at == end &&
         Fits(d->kind, d->what);
}

}  // namespace

int Trace::Preemptions() const {
  return static_cast<int>(std::count_if(deviations.begin(), deviations.end(),
                                        [](const Deviation& d) { return d.preemption; }));
}

int Trace::Injections() const {
  return static_cast<int>(
      std::count_if(deviations.begin(), deviations.end(),
                    [](const Deviation& d) { return d.kind == Deviation::kInject; }));
}

std::string ShowTrace(const Trace& trace) {
  std::string text = kFirstLine + std::to_string(kVersion) + "\n";
  text += "program " + OneLine(trace.program) + "\narguments " +
          std::to_string(trace.arguments.size()) + "\n";
  for (const std::string& argument : trace.arguments)
    text += "argument " + OneLine(argument) + "\n";
  text += "settings " + std::to_string(trace.settings.size()) + "\n";
  for (const std::string& setting : trace.settings) text += "setting " + OneLine(setting) + "\n";
  text += "build " + trace.build + "\n";
  text += "seed " + std::to_string(trace.seed) + "\nstrategy " + trace.strategy + "\n";
  text += "limit " + std::to_string(trace.limit) + "\noutcome " + OneLine(trace.outcome) + "\n";
  text += "said " + OneLine(trace.said) + "\nsteps " + std::to_string(trace.steps) + "\n";
  text += "deviations " + std::to_string(trace.deviations.size()) + "\n";
  for (const Deviation& d : trace.deviations) {
    char line[80];
    std::snprintf(line, sizeof line, "%c %u %" PRIu64 " %u\n", LetterOf(d), d.thread, d.step,
                  d.what);
    text += line;
  }
  return text + "end\n";
}

bool ParseTrace(const std::string& text, Trace* out, std::string* problem) {
  std::istringstream in(text);
  std::string line;
  int number = 0;
  const auto fail = [&](const std::string& what) {
    *problem = "line " + std::to_string(number) + ": " + what;
    return false;
  };
  const auto next = [&] {
    number++;
    return static_cast<bool>(std::getline(in, line));
  };
  if (!next() || !line.starts_with(kFirstLine)) return fail("this is not a trace of gort");
  if (line != kFirstLine + std::to_string(kVersion))
    return fail("a trace of version " + line.substr(std::strlen(kFirstLine)) +
                "; this program reads version " + std::to_string(kVersion));
  Trace trace;
  std::uint64_t count = 0;
  const auto field = [&](const char* name, std::string* value) {
    if (!next()) return fail("cut off: \"" + std::string(name) + "\" should stand here");
    const std::string head = std::string(name) + " ";
    if (!line.starts_with(head)) return fail("\"" + std::string(name) + "\" should stand here");
    *value = FromOneLine(line.substr(head.size()));
    return true;
  };
  const auto numberField = [&](const char* name, std::uint64_t* value) {
    std::string digits;
    if (!field(name, &digits)) return false;
    char* end;
    errno = 0;
    *value = std::strtoull(digits.c_str(), &end, 10);
    if (digits.empty() || *end != 0 || errno != 0)
      return fail("\"" + std::string(name) + "\" wants a number");
    return true;
  };
  const auto list = [&](const char* many, const char* one, std::vector<std::string>* values) {
    std::uint64_t n = 0;
    if (!numberField(many, &n)) return false;
    for (std::uint64_t i = 0; i < n; i++)
      if (!field(one, &values->emplace_back())) return false;
    return true;
  };
  if (!field("program", &trace.program) || !list("arguments", "argument", &trace.arguments) ||
      !list("settings", "setting", &trace.settings))
    return false;
  if (!field("build", &trace.build) || !numberField("seed", &trace.seed) ||
      !field("strategy", &trace.strategy) || !numberField("limit", &trace.limit) ||
      !field("outcome", &trace.outcome) || !field("said", &trace.said) ||
      !numberField("steps", &trace.steps) || !numberField("deviations", &count))
    return false;
  if (count > kMaxDeviations)
    return fail("more deviations than a run can have, " + std::to_string(kMaxDeviations));
  StrategyChoice strategy;
  if (std::string why; !ParseStrategy(trace.strategy, &strategy, &why)) return fail(why);
  for (std::uint64_t i = 0; i < count; i++) {
    if (!next()) return fail("cut off: " + std::to_string(count - i) + " deviations are missing");
    Deviation d{};
    if (!ParseDeviation(line, &d)) return fail("not a deviation: " + line);
    trace.deviations.push_back(d);
  }
  if (!next() || line != "end") return fail("cut off: \"end\" should stand here");
  *out = std::move(trace);
  return true;
}

std::vector<std::string> Settings() {
  std::vector<std::string> settings;
  for (const char* name : kSettings)
    if (const char* value = std::getenv(name); value != nullptr)
      settings.push_back(std::string(name) + "=" + value);
  return settings;
}

void Set(const std::vector<std::string>& settings) {
  for (const char* name : kSettings) unsetenv(name);
  for (const std::string& setting : settings)
    if (const std::size_t equals = setting.find('='); equals != std::string::npos)
      setenv(setting.substr(0, equals).c_str(), setting.c_str() + equals + 1, 1);
}

std::string SaveTrace(const Trace& trace, const std::string& path, std::string* problem) {
  const std::string text = ShowTrace(trace);
  *problem = WriteWhole(path, text);
  if (problem->empty()) return path;
  const char* folder = std::getenv("TMPDIR");
  const std::string elsewhere = std::string(folder != nullptr && *folder != 0 ? folder : "/tmp") +
                                "/gort-" + std::to_string(getpid()) + ".trace";
  if (WriteWhole(elsewhere, text).empty()) {
    *problem += "; the trace is in " + elsewhere;
    return elsewhere;
  }
  *problem += ", nor a file in the folder for temporary files; the trace:\n" + text;
  return "";
}

bool LoadTrace(const std::string& path, Trace* out, std::string* problem) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    *problem = path + ": " + std::strerror(errno);
    return false;
  }
  std::ostringstream text;
  text << in.rdbuf();
  if (ParseTrace(text.str(), out, problem)) return true;
  *problem = path + ": " + *problem;
  return false;
}

std::string BuildOf(const std::string& executable) {
  std::FILE* file = std::fopen(executable.c_str(), "rbe");
  if (file == nullptr) return "";
  std::uint64_t hash = 0xcbf29ce484222325;
  std::uint64_t words[4096];
  std::size_t n;
  while ((n = std::fread(words, 1, sizeof words, file)) > 0) {
    std::memset(reinterpret_cast<char*>(words) + n, 0, sizeof words - n);
    for (std::size_t i = 0; i < (n + 7) / 8; i++) hash = (hash ^ words[i]) * 0x100000001b3;
  }
  std::fclose(file);
  char text[20];
  std::snprintf(text, sizeof text, "%016" PRIx64, hash);
  return text;
}

}  // namespace gort::chaos
