#include "tests/gotrace.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace gort::test {

std::string TraceEvent::arg(std::string_view key) const {
  for (const auto& [k, v] : args)
    if (k == key) return v;
  return "";
}

int Trace::count(std::string_view name) const {
  int n = 0;
  for (const TraceEvent& e : events) n += e.name == name;
  return n;
}

int Trace::countOf(std::string_view name, std::uint64_t g) const {
  int n = 0;
  for (const TraceEvent& e : events) n += e.name == name && e.g == g;
  return n;
}

int Trace::countAbout(std::string_view name, std::uint64_t g) const {
  int n = 0;
  for (const TraceEvent& e : events) n += e.name == name && e.arg("g") == std::to_string(g);
  return n;
}

std::string tempFile(const std::string& name) {
  const char* dir = std::getenv("TEST_TMPDIR");
  return std::string(dir == nullptr ? "/tmp" : dir) + "/" + name + "." + std::to_string(getpid());
}

std::string runGo(const std::string& args, const std::string& out) {
  if (access("/usr/bin/go", X_OK) != 0)
    FAIL(
        "/usr/bin/go is missing (Debian's package golang-go): its tools open what the tracer "
        "writes");
  std::string home = tempFile("gohome");
  std::string errors = tempFile("goerrors");
  std::string command = "HOME=" + home + " PPROF_TMPDIR=" + home +
                        " GOFLAGS= GO111MODULE=off /usr/bin/go " + args + " 2>" + errors;
  if (!out.empty()) command += " >" + out;
  std::string text;
  FILE* f = popen(command.c_str(), "r");
  REQUIRE(f != nullptr);
  char buf[65536];
  while (std::size_t n = std::fread(buf, 1, sizeof buf, f)) text.append(buf, n);
  int status = pclose(f);
  if (status != 0) {
    std::string why;
    if (FILE* e = std::fopen(errors.c_str(), "r")) {
      why.append(buf, std::fread(buf, 1, sizeof buf, e));
      std::fclose(e);
    }
    FAIL("go " << args << " failed: " << why);
  }
  unlink(errors.c_str());
  return text;
}

Trace readTrace(const std::string& path) {
  Trace t;
  std::istringstream lines(runGo("tool trace -d " + path));
  // «2560 GoCreate p=0 g=1 off=433 g=17 stack=2»
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string time, word;
    TraceEvent e;
    if (!(words >> time >> e.name)) continue;
    for (int i = 0; words >> word; i++) {
      auto eq = word.find('=');
      if (eq == std::string::npos) continue;
      std::string value = word.substr(eq + 1);
      if (i == 0) {
        e.p = std::atoi(value.c_str());
      } else if (i == 1) {
        e.g = std::strtoull(value.c_str(), nullptr, 10);
      } else {
        e.args.emplace_back(word.substr(0, eq), value);
      }
    }
    t.events.push_back(std::move(e));
  }
  return t;
}

std::string traceProfile(const std::string& path, const std::string& kind) {
  std::string profile = path + "." + kind;
  runGo("tool trace -pprof=" + kind + " " + path, profile);
  std::string text = runGo("tool pprof -raw " + profile);
  unlink(profile.c_str());
  return text;
}

void traceEverywhere(const char* name, void (*body)(const std::string& path),
                     const std::function<void(const std::string&, const std::string&)>& check) {
  const char* repeat = std::getenv("GORT_REPEAT");
  int repeats = repeat == nullptr ? 1 : std::atoi(repeat);
  std::string path = tempFile("trace");
  for (int i = 0; i < repeats; i++) {
    for (int procs : kProcs) {
      Result r = run_go([&] { body(path); }, {{"GOMAXPROCS", std::to_string(procs)}});
      INFO(std::string(name) << " with GOMAXPROCS=" << procs << ", run " << i + 1 << ": "
                             << r.str());
      bool ok = !r.hung && r.status == 0 && !r.has("WARNING: ThreadSanitizer");
      REQUIRE(ok);
      check(path, r.err);
      unlink(path.c_str());
    }
  }
}

std::uint64_t printed(const std::string& text, const std::string& key) {
  std::string line = "\n" + key + " ";
  auto at = ("\n" + text).find(line);
  REQUIRE_MESSAGE(at != std::string::npos, "no line «" << key << "» in: " << text);
  return std::strtoull(("\n" + text).c_str() + at + line.size(), nullptr, 10);
}

}  // namespace gort::test
