// Go's own tool, to read the profiles that gort writes.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"

namespace gort::test {

// A file of this test's own.
inline std::string profileFile(const std::string& name) {
  const char* dir = std::getenv("TEST_TMPDIR");
  return std::string(dir != nullptr ? dir : "/tmp") + "/" + name + "." + std::to_string(getpid());
}

// The profile that withProfile's scenario writes.
inline std::string file;

// Runs f with each number of Ps; it writes a profile to file. Calls check with that.
template <class F, class C>
void withProfile(const char* name, F f, C check) {
  file = profileFile(name);
  for (int procs : kProcs) {
    Result r = run_go(f, {{"GOMAXPROCS", std::to_string(procs)}});
    INFO("GOMAXPROCS=" << procs << ": " << r.str());
    REQUIRE(r.status == 0);
    REQUIRE(!r.has("WARNING: ThreadSanitizer"));
    check();
  }
  unlink(file.c_str());
}

// Writes the profile to the file. In a scenario.
inline void writeProfile(const char* name, const std::string& file) {
  int fd = open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  CHECK_GO(fd >= 0);
  CHECK_GO(!runtime::pprof::Lookup(name)->WriteTo(fd, 0));
  ::close(fd);
}

// What `go tool pprof ARGS FILE` prints, errors too; fails the test if it does not succeed.
inline std::string tool(const std::string& args, const std::string& file) {
  const char* go = "/usr/bin/go";
  REQUIRE_MESSAGE(access(go, X_OK) == 0,
                  "go is not installed; ./bazelw version installs it on Debian 12");
  std::string home = profileFile("home");
  std::string command = "HOME=" + home + " PPROF_TMPDIR=" + home + " " + go + " tool pprof " +
                        args + " " + file + " 2>&1";
  std::FILE* f = popen(command.c_str(), "r");
  REQUIRE(f != nullptr);
  std::string out;
  char buf[4096];
  while (std::size_t n = std::fread(buf, 1, sizeof buf, f)) out.append(buf, n);
  int status = pclose(f);
  REQUIRE_MESSAGE((WIFEXITED(status) && WEXITSTATUS(status) == 0), (command + "\n" + out));
  return out;
}

// One line of the tool's -top, with -unit=... so that numbers have no fractions of a unit: flat and
// cumulative value of the function; {-1, -1} if it is not there.
struct topLine {
  double flat = -1, cum = -1;
};
inline topLine lineOf(const std::string& top, const std::string& function) {
  std::size_t from = 0;
  while (from < top.size()) {
    std::size_t eol = top.find('\n', from);
    std::string line = top.substr(from, eol - from);
    from = eol == top.npos ? top.size() : eol + 1;
    if (line.ends_with(" (inline)")) line.resize(line.size() - 9);
    if (!line.ends_with("  " + function)) continue;
    topLine t;
    char unit[2][16];
    std::sscanf(line.c_str(), "%lf%15s %*s %*s %lf%15s", &t.flat, unit[0], &t.cum, unit[1]);
    // Without a unit the column behind it was read in its place.
    if (unit[0][0] >= '0' && unit[0][0] <= '9')
      std::sscanf(line.c_str(), "%lf %*s %*s %lf", &t.flat, &t.cum);
    return t;
  }
  return {};
}

}  // namespace gort::test
