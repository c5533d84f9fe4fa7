// Child processes: how they end, what they print, and that none outlives its time.

#include "chaos/runner.h"

#include <doctest/doctest.h>
#include <signal.h>

using namespace gort::chaos;

namespace {

RunResult Shell(const std::string& script, const RunOptions& options = {}) {
  return Run({"/bin/sh", "-c", script}, options);
}

}  // namespace

TEST_CASE("exit status and both outputs") {
  const RunResult run = Shell("echo out; echo err >&2; exit 7");
  CHECK(run.started);
  CHECK_FALSE(run.cutOff);
  CHECK(run.status == 7);
  CHECK(run.signal == 0);
  CHECK(run.out == "out\n");
  CHECK(run.err == "err\n");
}

TEST_CASE("a signal") {
  const RunResult run = Shell("kill -SEGV $$");
  CHECK(run.signal == SIGSEGV);
  CHECK(run.status == -1);
}

TEST_CASE("a program that is not there") {
  const RunResult run = Run({"/nowhere/at/all"}, {});
  CHECK_FALSE(run.started);
  CHECK(run.problem == "/nowhere/at/all: No such file or directory");
}

TEST_CASE("the environment is set on top of the own one") {
  RunOptions options;
  options.environment = {{"GORT_A", "1"}, {"PATH", "/x"}};
  CHECK(Shell("echo $GORT_A $PATH", options).out == "1 /x\n");
}

TEST_CASE("its time is up, whether it keeps its output open or not") {
  RunOptions options;
  options.timeoutSeconds = 1;
  for (const char* script : {"echo first; exec sleep 100", "exec sleep 100 >&- 2>&-"}) {
    const RunResult run = Shell(script, options);
    CHECK(run.cutOff);
    CHECK(run.status == -1);
    CHECK(run.seconds >= 1);
    CHECK(run.seconds < 50);
  }
}

TEST_CASE("more output than a pipe holds, and more than is kept") {
  const RunResult run = Shell("head -c 20000000 /dev/zero >&2; exit 3");
  CHECK(run.status == 3);
  CHECK(run.err.size() == kMaxOutput);
}
