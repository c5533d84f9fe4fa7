// The language in which injections are written, for the environment variable CHAOS and for
// chaos::Script. After FreeBSD's fail(9) and Rust's fail-rs; docs/chaos.md explains it with
// examples.
//
//   spec   = rule { ";" rule }
//   rule   = pattern "=" term { "->" term }
//   term   = { cond ":" } [ P "%" ] [ N "*" ] action
//   cond   = "holding(" lock ")" | "after(" point ")" | "visit(" N ")" | "suspending(" goid ")"
//   action = "off" | "yield" | "throw(" text ")" | "print(" text ")"
//          | "delay(" microseconds ")" | "hold(" point ")" | "await(" point ")" | "movestack"
//          | "signal(" number [ "," target ] ")" | "starve(" microseconds ")" | "preempt"
//          | "collect" | "stoptheworld" | "barrier" | "shrink" | "retake" | "enomem"
//   target = "process" | "any" | number of an M
//
// Blanks between the parts mean nothing. In a text, \) and \\ stand for ) and \.
//
// Meaning: when a thread comes to a point, the terms of each rule that names the point are tried
// from left to right, and the first that fires ends its rule. A term fires if all its conditions
// hold, then with probability P, and at most N times in the process; conditions that do not hold
// and throws of the dice that fail do not count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "chaos/points.h"

namespace gort::chaos {

// What must hold for a term to fire.
struct Condition {
  enum Kind {
    kHolding,  // this thread holds the lock
    kAfter,  // the last point that this thread came to before this one is `point`
    kVisit,  // this is the number-th time that any thread comes here
    kSuspending,  // this thread is in suspendG for goroutine `number`
  };
  Kind kind;
  std::string lock;
  Point point{};
  std::int64_t number = 0;
};

// What cannot be done at a point, whose thread may hold any lock: it is asked for there.
enum class Request : std::uint8_t {
  kCollect,  // a collection
  kStopWorld,  // the world is stopped and started
  kBarrier,  // a ragged barrier: every P passes a safe point
  kShrink,  // the stacks of parked goroutines are shrunk, or moved if they are small
  kRetake,  // Ps of threads in system calls are taken
  kCount,
};

struct Action {
  enum Kind {
    kOff,  // nothing, and the rest of the rule is not looked at
    kThrow,  // runtime throw: fatal error with dump
    kDelay,  // sleep for number microseconds
    kYield,  // sched_yield
    kPrint,  // a line on standard error
    kHold,  // wait until another thread has come to `point`, at any time since the start
    kAwait,  // wait until another thread comes to `point` after this one came here
    kMoveStack,  // the goroutine's stack is moved by the next function that it enters
    kSignal,  // signal `number` comes to `target`
    kStarve,  // an M, drawn, sleeps at every point for number microseconds
    kPreempt,  // a running P, drawn, is asked for preemption, or this goroutine itself
    kAsk,  // `request` is asked for; the helper grants it (chaos/helper.h)
    kFail,  // what comes next fails; only at points in front of a request for memory
    kCall,  // call `fn`; only in scripts, the grammar has no word for it
  };
  // Other targets of a signal are the numbers of Ms.
  enum : std::int64_t { kThisThread = -1, kProcess = -2, kAnyM = -3 };
  Kind kind = kOff;
  std::string text;
  std::int64_t number = 0;
  Point point{};
  void (*fn)() = nullptr;
  std::int64_t target = kThisThread;
  Request request{};
};

struct Term {
  std::vector<Condition> conditions;
  double probability = 1;  // in (0, 1]
  std::int64_t count = -1;  // at most so many times; -1: no limit
  Action action;
};

struct Rule {
  std::vector<Point> points;
  std::vector<Term> terms;
};

struct SpecError {
  std::size_t position = 0;  // offset in the text at which it went wrong
  std::string message;
};

// ParseSpec reads a whole spec; it never takes a part of a wrong one.
std::variant<std::vector<Rule>, SpecError> ParseSpec(std::string_view text);

// ShowSpecError is the message with its column, the text, and a caret below the place.
std::string ShowSpecError(std::string_view text, const SpecError& error);

}  // namespace gort::chaos
