// The lines of GODEBUG=schedtrace and scheddetail: tools parse them.
#include <algorithm>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/harness.h"

using namespace gort;
using namespace gort::test;

namespace {

#define NUM "-?[0-9]+"
#define NUMNIL "(" NUM "|nil)"
#define BOOL "(true|false)"

const std::regex kShort("SCHED [0-9]+ms: gomaxprocs=([0-9]+) idleprocs=" NUM " threads=" NUM
                        " spinningthreads=" NUM " needspinning=" NUM " idlethreads=" NUM
                        " runqueue=" NUM " \\[([0-9]+( [0-9]+)*)\\]");
const std::regex kHead("SCHED [0-9]+ms: gomaxprocs=" NUM " idleprocs=" NUM " threads=" NUM
                       " spinningthreads=" NUM " needspinning=" NUM " idlethreads=" NUM
                       " runqueue=" NUM " gcwaiting=" BOOL " nmidlelocked=" NUM " stopwait=" NUM
                       " sysmonwait=" BOOL);
const std::regex kP("  P[0-9]+: status=[0-4] schedtick=" NUM " syscalltick=" NUM " m=" NUMNIL
                    " runqsize=" NUM " gfreecnt=" NUM " timerslen=" NUM);
const std::regex kM("  M[0-9]+: p=" NUMNIL " curg=" NUMNIL " mallocing=" NUM " throwing=" NUM
                    " preemptoff=.* locks=" NUM " dying=" NUM " spinning=" BOOL " blocked=" BOOL
                    " lockedg=" NUMNIL);
const std::regex kG("  G[0-9]+: status=[0-9]+\\([^()]*(\\([^()]*\\))?[^()]*\\) m=" NUMNIL
                    " lockedm=" NUMNIL);

// The whole lines of text. The process may end while sysmon prints: what follows the last «SCHED»
// may be cut off and is left out.
std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> v;
  std::size_t last = text.rfind("\nSCHED ");
  std::istringstream in(last == std::string::npos ? text : text.substr(0, last + 1));
  for (std::string line; std::getline(in, line);) v.push_back(line);
  return v;
}

// Some life to trace.
void program() {
  auto c = make_chan<int>();
  for (int i = 0; i < 3; i++)
    go([=] {
      for (;;) {
        time::Sleep(100 * time::Microsecond);
        c.send(1);
      }
    });
  go([] {
    runtime::LockOSThread();
    select();
  });
  auto start = time::Now();
  // sysmon needs a while to come to a line; the test waits for three periods.
  while (time::Since(start) < 60 * time::Millisecond) c.recv();
}

}  // namespace

TEST_CASE("GODEBUG=schedtrace") {
  Result r = run_go(program, Env{{"GODEBUG", "schedtrace=5"}, {"GOMAXPROCS", "3"}});
  INFO(r.str());
  CHECK(r.status == 0);
  auto all = lines(r.err);
  REQUIRE(!all.empty());
  for (const std::string& line : all) {
    std::smatch m;
    CHECK(std::regex_match(line, m, kShort));
    if (m.empty()) continue;
    CHECK(m[1] == "3");
    std::string queues = m[2];
    CHECK(std::count(queues.begin(), queues.end(), ' ') == 2);  // a queue for each P
  }
}

TEST_CASE("GODEBUG=schedtrace,scheddetail") {
  Result r = run_go(program, Env{{"GODEBUG", "schedtrace=5,scheddetail=1"}, {"GOMAXPROCS", "3"}});
  INFO(r.str());
  CHECK(r.status == 0);
  int heads = 0, ps = 0, ms = 0, gs = 0;
  for (const std::string& line : lines(r.err)) {
    CAPTURE(line);
    bool head = std::regex_match(line, kHead), p = std::regex_match(line, kP),
         m = std::regex_match(line, kM), g = std::regex_match(line, kG);
    CHECK(head + p + m + g == 1);
    heads += head, ps += p, ms += m, gs += g;
  }
  CHECK(heads > 0);
  CHECK(ps == 3 * heads);
  CHECK(ms >= 2 * heads);
  CHECK(gs >= heads);
}

TEST_CASE("no trace without GODEBUG") {
  Result r = run_go(program);
  CHECK_MESSAGE(r.status == 0, r.str());
  CHECK_MESSAGE(r.err.empty(), r.str());
}
