#include "chaos/waitfor.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace gort::chaos {

namespace {

std::string ThreadName(const Waiter& w) {
  std::string name = "M" + std::to_string(w.m);
  if (w.goroutine != 0) name += " (goroutine " + std::to_string(w.goroutine) + ")";
  return name;
}

std::string InFunction(const StackFrame& frame) {
  if (frame.function.empty()) return "";
  return "in " + frame.function + (frame.place.empty() ? "" : ", " + frame.place);
}

// Columns on a terminal of a text in UTF-8.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

std::vector<std::size_t> FindCycle(const std::vector<Waiter>& waiters) {
  std::map<std::int64_t, std::size_t> waiterOfM;
  for (std::size_t i = 0; i < waiters.size(); i++) waiterOfM[waiters[i].m] = i;
  for (std::size_t start = 0; start < waiters.size(); start++) {
    // A walk that comes back to where it began is a ring. One that runs into another ring ends
    // after as many steps as there are waiters; that ring is found from its own members.
    std::vector<std::size_t> path{start};
    while (path.size() <= waiters.size()) {
      const auto next = waiterOfM.find(waiters[path.back()].holder);
      if (next == waiterOfM.end()) break;
      if (next->second == start) return path;
      path.push_back(next->second);
    }
  }
  return {};
}

StackFrame OutsideLock(const std::vector<StackFrame>& stack) {
  for (const StackFrame& frame : stack) {
    const std::string& f = frame.function;
    if (f.starts_with("runtime.lock") || f.starts_with("runtime.futex") ||
        f.starts_with("runtime.suspendG") || f.starts_with("runtime.systemstack") ||
        f.starts_with("runtime.forEachG") || f.starts_with("runtime.stopTheWorldWithSema"))
      continue;
    return frame;
  }
  return {};
}

std::string DescribeCycle(const std::vector<Waiter>& cycle) {
  std::string text;
  for (const Waiter& w : cycle) {
    const std::string holder = "M" + std::to_string(w.holder);
    const StackFrame waitsIn = OutsideLock(w.stack);
    const std::string where = waitsIn.function.empty() ? "" : " " + InFunction(waitsIn);
    text += ThreadName(w) + ", thread " + std::to_string(w.thread) + ", ";
    switch (w.kind) {
      case Waiter::kLock:
        text += "waits for " + w.wanted + where + ";\n";
        text += (w.holder == w.m ? holder + " itself holds it" : holder + " holds it");
        if (!w.takenIn.function.empty()) text += ", taken " + InFunction(w.takenIn);
        break;
      case Waiter::kGoroutine:
        text += "waits until it can stop " + w.wanted + where + ";\n";
        text += holder + " runs it, and does not let go of it";
        break;
      case Waiter::kP:
        text += "waits until " + w.wanted + " has passed a safe point" + where + ";\n";
        text += holder + " runs on it, and does not come to one";
        break;
      case Waiter::kWorld:
        text += "waits until " + w.wanted + " has stopped" + where + ";\n";
        text += holder + " runs on it, and does not stop";
        break;
      case Waiter::kThread:
        text += "waits until " + w.wanted + " has made its system call" + where + ";\n";
        text += holder + " does not come to it";
        break;
      case Waiter::kReceiver:
        text += "waits in a signal handler for " + w.wanted + where + ";\n";
        text += w.because + " " + holder;
        break;
    }
    text += ".\nstack of M" + std::to_string(w.m) + ":\n";
    std::size_t widest = 0;
    for (const StackFrame& frame : w.stack) widest = std::max(widest, Width(frame.function));
    for (const StackFrame& frame : w.stack) {
      text += "  " + frame.function;
      if (!frame.place.empty())
        text += std::string(widest - Width(frame.function) + 2, ' ') + frame.place;
      text += "\n";
    }
  }
  return text;
}

std::string DrawCycle(const std::vector<Waiter>& cycle) {
  std::vector<std::string> lines;
  for (const Waiter& w : cycle) {
    const std::string where = InFunction(OutsideLock(w.stack));
    const std::string last = &w == &cycle.back() ? " |  " : " v  ";
    lines.push_back(ThreadName(w));
    switch (w.kind) {
      case Waiter::kLock:
        lines.push_back(" |  waits for the lock " + where);
        break;
      case Waiter::kGoroutine:
        lines.push_back(" |  waits until it can stop it, " + where);
        break;
      case Waiter::kP:
        lines.push_back(" |  waits until it has passed a safe point, " + where);
        break;
      case Waiter::kWorld:
        lines.push_back(" |  waits until it has stopped, " + where);
        break;
      case Waiter::kThread:
        lines.push_back(" |  waits until it has made the system call, " + where);
        break;
      case Waiter::kReceiver:
        lines.push_back(" |  waits in a signal handler, " + where);
        break;
    }
    lines.emplace_back(" v");
    lines.push_back("[" + w.wanted + "]");
    if (w.kind == Waiter::kLock) lines.push_back(" |  taken " + InFunction(w.takenIn));
    lines.push_back(last + (w.kind == Waiter::kLock       ? "held by"
                            : w.kind == Waiter::kReceiver ? w.because
                                                          : "run by"));
  }
  std::size_t widest = 0;
  for (const std::string& line : lines) widest = std::max(widest, Width(line));
  const std::size_t bar = widest + 4;

  std::string text;
  for (std::size_t i = 0; i < lines.size(); i++) {
    std::string line = lines[i];
    if (i == 0) {
      line += " <" + std::string(bar - Width(line) - 2, '-') + "+";
    } else {
      line += std::string(bar - Width(line), ' ') + "|";
    }
    text += line + "\n";
  }
  return text + " +" + std::string(bar - 2, '-') + "+\n";
}

}  // namespace gort::chaos
