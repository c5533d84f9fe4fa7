// Linked into every program of mode "explore": takes the program over where Main begins.
//
// Without anything else the program explores itself: CHAOS_EXPLORE is not set, and it runs as many
// times as GORT_EXPLORE_RUNS says (20 if that is not set), from a seed that comes from Bazel's test
// sharding and --runs_per_test. CHAOS_EXPLORE=off runs it as it is.

#include <sys/personality.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "chaos/explore/campaign.h"
#include "chaos/explore/mark.h"
#include "chaos/explore/zygote.h"
#include "runtime/explore.h"

namespace gort::chaos {

namespace {

std::uint64_t NumberFrom(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == 0) return otherwise;
  char* end;
  const std::uint64_t n = std::strtoull(text, &end, 10);
  if (*end == 0) return n;
  std::fprintf(stderr, "explore: environment variable %s wants a number, not \"%s\"\n", name, text);
  std::exit(2);
}

Task DefaultTask() {
  Task task;
  task.runs = NumberFrom("GORT_EXPLORE_RUNS", 20);
  // Shards and repetitions of a test explore different seeds.
  const std::uint64_t shard = NumberFrom("TEST_SHARD_INDEX", 0);
  const std::uint64_t repetition = NumberFrom("TEST_RANDOM_SEED", 1) - 1;
  task.seed = 1 + (repetition * NumberFrom("TEST_TOTAL_SHARDS", 1) + shard) * task.runs;
  return task;
}

[[gnu::used]] const char* const mark = kExploreMark;

Task TaskFromEnvironment() {
  Task task = DefaultTask();
  const char* text = std::getenv("CHAOS_EXPLORE");
  std::string problem;
  if (text == nullptr || ParseTask(text, &task, &problem)) return task;
  std::fprintf(stderr, "explore: environment variable CHAOS_EXPLORE: %s\n", problem.c_str());
  std::exit(2);
}

int Control() { return DoTask(TaskFromEnvironment()); }
int PrepareHere() { return PrepareReplay(TaskFromEnvironment()); }

void BeforeMain() {
  const char* text = std::getenv("CHAOS_EXPLORE");
  if (text != nullptr && std::strcmp(text, "off") == 0) return;
  if (text != nullptr && std::strstr(text, "inprocess=1") != nullptr)
    RunHere(PrepareHere);
  else
    ServeRuns(Control);
}

// Before anything has an address that matters.
__attribute__((constructor(101))) void FixAddresses() {
  const int now = personality(0xffffffff);
  if (now != -1 && (now & ADDR_NO_RANDOMIZE) == 0 &&
      personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE) != -1) {
    // A sandbox may refuse it: then addresses are the same in all runs of one process only.
    std::string text;
    if (std::FILE* file = std::fopen("/proc/self/cmdline", "re")) {
      char part[4096];
      for (std::size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
      std::fclose(file);
    }
    std::vector<char*> words;
    for (std::size_t i = 0; i < text.size(); i += std::strlen(&text[i]) + 1)
      words.push_back(&text[i]);
    words.push_back(nullptr);
    if (words.size() > 1) execv("/proc/self/exe", words.data());
  }
  runtime::explore::beforeMain = BeforeMain;
}

}  // namespace

}  // namespace gort::chaos
