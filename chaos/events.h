// One run of the explorer, as `chaos replay` writes it: the events file and its reader.
//
// An events file is one JSON object a line. The first one says what ran; each of the others is an
// event, in the order in which they happened. Exactly one thread has the turn at a time, so the
// order is total. Keys and kinds of events that this tool does not know are passed over: a later
// explorer may write more. docs/chaos.md has the table of events.
//
// Invariants of a Run that ReadEvents returns:
//   - steps never go back from one event to the next;
//   - every thread that an event names was named by a kThread event before it (`other` may be -1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gort::chaos {

inline constexpr int kEventsVersion = 1;

struct Event {
  enum Kind {
    kThread,   // t exists from here on; what: its name
    kRun,  // t has the turn from here on; what: why (start, preempt, block ...; exit: the thread
    // that had it is no more)
    kG,  // t runs goroutine `number` now, 0 for none
    kPoint,  // t passed the point `what`
    kOp,  // t made the atomic operation `detail` on `what`, in `function`
    kLock,  // t took the lock `what`
    kUnlock,  // t gave it back
    kWait,  // t blocks here, for `what`
    kWake,  // t makes `other` runnable
    kSignal,  // signal `number` called `what` for t, `detail` sent (by `other`) or delivered
    kInject,  // `what` was injected into t, at the point `detail`
    kSwitch,  // the turn went from t to `other` here; what: its kind
    kOut,  // t wrote `what` to standard error
  };
  Kind kind = kThread;
  bool critical = false;  // kSwitch: shrinking could not remove it
  int t = -1;
  int other = -1;
  std::int64_t step = 0;
  std::int64_t now = -1;  // virtual time in nanoseconds, -1 if the event does not say
  std::int64_t number = 0;
  int stacks = -1;  // kSwitch: index in Run::stacks
  std::string what;
  std::string detail;
  std::string function;
};

// The two sides of a switch, innermost frame first: "runtime.casgstatus proc_g.cc:120".
struct Stacks {
  std::vector<std::string> from;
  std::vector<std::string> to;
};

// `from` `what` `to`: M0 (goroutine 1) | waits for lock allglock, held by | M2.
struct RingEdge {
  std::string from;
  std::string what;
  std::string to;
};

struct Run {
  std::string file;  // that it was read from
  std::string program;
  std::vector<std::string> arguments;
  std::string build;
  std::string seed;
  std::string strategy;
  std::int64_t procs = 0;
  std::string replay;  // the command that replays it, "" if the file does not say
  std::vector<std::string> threads;  // names, by number
  std::vector<Event> events;
  std::vector<Stacks> stacks;
  std::vector<RingEdge> ring;
  bool ended = false;  // there is an "end"
  std::int64_t steps = 0;  // step of the end, or of the last event
  std::int64_t now = -1;  // virtual time at the end
  std::string outcome;  // deadlock, race, throw ..., "" without an end
  std::string detail;
  std::string notice;  // what the reader must be told about the file, "" for nothing
};

// ReadEvents returns the run, or what is wrong with the file: its name, the line, the reason. A file
// that was cut off in the middle is read as far as it goes, and the run's notice says so.
std::variant<Run, std::string> ReadEvents(const std::string& file);
std::variant<Run, std::string> ParseEvents(std::string_view text, const std::string& file);

// ShownProgram is the run's program as a person calls it: the target, if Bazel has built it
// (//chaos/explore:toys), else the path, from the working folder if it lies there.
std::string ShownProgram(const Run& run);

// What every thread is doing, as the events go by.
class Lanes {
 public:
  struct Thread {
    bool exists = false;
    std::int64_t goroutine = 0;
    std::vector<std::string> locks;  // held, in the order of taking
    std::string waits;  // for what, "" while it can run
    std::int64_t since = 0;  // step at which the wait began
  };

  explicit Lanes(const Run& run) : threads_(run.threads.size()) {}
  void Apply(const Event& event);

  int turn() const { return turn_; }  // the thread that has it, -1 for none yet
  const Thread& thread(int t) const { return threads_[static_cast<std::size_t>(t)]; }
  const std::vector<Thread>& threads() const { return threads_; }
  int HolderOf(std::string_view lock) const;  // -1 for nobody

 private:
  std::vector<Thread> threads_;
  int turn_ = -1;
};

// LockWanted is X of a wait for "lock X", "" for any other wait.
std::string_view LockWanted(std::string_view waits);

// WaitText is "waits for lock X", "waits for a note", "sleeps 20us": a wait as a verb.
std::string WaitText(const std::string& waits);

// FirstWords is the first line of an output that has a letter in it.
std::string FirstWords(const std::string& text);

// EventText says in words what the thread did: "takes allglock". Its own name is not in it.
std::string EventText(const Run& run, const Event& event);

const char* EventKindName(Event::Kind kind);

}  // namespace gort::chaos
