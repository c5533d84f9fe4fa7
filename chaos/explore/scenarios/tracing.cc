// The tracer is started and stopped while goroutines come and go, wait, sleep and make system calls, and
// somebody asks for all stacks: the trace ends, every event in it is whole, and none of a goroutine is there
// twice.
#include <cstring>
#include <set>
#include <utility>
#include <vector>

#include "runtime/extern.h"
#include "runtime/go.h"
#include "runtime/gotrace.h"
#include "runtime/syscall.h"
#include "runtime/time.h"
#include "runtime/trace.h"

using namespace gort;

namespace {

constexpr int kTraces = 2;

// Belongs to the goroutine that reads the trace, until Stop has returned.
std::vector<unsigned char> bytes;

class Reader {
 public:
  std::size_t At() const { return at_; }
  bool Done() const { return at_ == bytes.size(); }
  unsigned Byte() {
    if (Done()) panic("an event is cut off");
    return bytes[at_++];
  }
  std::uint64_t Number() {
    std::uint64_t n = 0;
    for (int shift = 0;; shift += 7) {
      const unsigned b = Byte();
      n |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if (b < 0x80) return n;
      if (shift > 56) panic("a number of an event has no end");
    }
  }
  void Skip(std::uint64_t n) {
    while (n-- > 0) Byte();
  }

 private:
  std::size_t at_ = 16;  // behind the header
};

void check() {
  if (bytes.size() < 16 || std::memcmp(bytes.data(), "go 1.19 trace\0\0\0", 16) != 0)
    panic("no header");
  Reader r;
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;  // goroutine, its number of the event
  std::set<std::uint64_t> created;
  while (!r.Done()) {
    const unsigned head = r.Byte();
    const unsigned type = head & 0x3f;
    const unsigned count = (head >> 6) + 1;
    if (type == runtime::traceEvNone || type > runtime::traceEvUserLog) panic("an unknown event");
    if (type == runtime::traceEvString) {
      r.Number();
      r.Skip(r.Number());
      continue;
    }
    std::vector<std::uint64_t> args;
    if (count < 4) {
      for (unsigned i = 0; i < count; i++) args.push_back(r.Number());
    } else {
      const std::uint64_t length = r.Number();
      const std::size_t end = r.At() + length;
      while (r.At() < end) args.push_back(r.Number());
      if (r.At() != end) panic("an event is longer than it says");
    }
    switch (type) {
      case runtime::traceEvGoStart:
      case runtime::traceEvGoUnblock:
      case runtime::traceEvGoSysExit:
        if (args.size() < 3) panic("an event has lost an argument");
        if (!seen.insert({args[1], args[2]}).second)
          panic("two events of a goroutine in one place");
        break;
      case runtime::traceEvGoCreate:
        if (args.size() < 2) panic("an event has lost an argument");
        if (!created.insert(args[1]).second) panic("a goroutine was made twice");
        break;
      default:
        break;
    }
  }
  if (created.empty()) panic("no goroutine in the trace");
}

void work(int number, chan<int> c, chan<int> done) {
  for (int i = 0; i < 3; i++) {
    switch ((i + number) % 3) {
      case 0:
        c.send(i);
        c.recv();
        break;
      case 1:
        syscall::Getpid();
        time::Sleep(time::Microsecond);
        break;
      default:
        go([=] { done.send(number); });
        done.recv();
    }
    runtime::Gosched();
  }
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto c = make_chan<int>(1), done = make_chan<int>(8);
    for (int round = 0; round < kTraces; round++) {
      for (int i = 0; i < 2; i++) go(work, i, c, done);
      bytes.clear();
      if (runtime::trace::Start([](const void* p, std::size_t n) {
            const auto* from = static_cast<const unsigned char*>(p);
            bytes.insert(bytes.end(), from, from + n);
            return true;
          }))
        panic("no trace");
      go(work, 2, c, done);
      go([=] {
        char text[2048];
        if (runtime::Stack(text, round == 0) == 0) panic("no stacks");
        done.send(0);
      });
      for (int i = 0; i < 4; i++) done.recv();
      runtime::trace::Stop();
      check();
    }
  });
}
