#include "chaos/explore/deadlock.h"

#include <cstdio>
#include <string>

#include "chaos/explore/idle.h"
#include "chaos/explore/turn.h"
#include "chaos/rings.h"
#include "runtime/os_linux.h"
#include "runtime/proc.h"
#include "runtime/stubs.h"

namespace gort::chaos {

namespace {

constexpr std::size_t kFrames = 12;

// From here on this thread is one that the runtime does not know, which may use the C++ library.
void LeaveTheRuntime() {
  runtime::explore::gort_explorer = nullptr;
  runtime::explore::gort_explore_locks = false;
  runtime::explore::gort_explore_budget = INT64_MAX;
  runtime::setg(nullptr);
  runtime::setstackguard(0);
}

std::string StateOf(const ThreadView& v) {
  switch (v.state) {
    case ThreadView::kRunnable:
      return "can run";
    case ThreadView::kEnded:
      return "has ended";
    case ThreadView::kSleeping:
      return "sleeps";
    case ThreadView::kFutex:
      break;
  }
  return v.due == INT64_MAX ? "waits for ever" : "waits until a time";
}

void DescribeThreads() {
  std::string text;
  for (int i = 0; i < ThreadCount(); i++) {
    const ThreadView v = ViewThread(i);
    const auto* mp = v.m == nullptr ? &runtime::m0 : static_cast<const runtime::m*>(v.m);
    text += "  M" + std::to_string(mp->id);
    const runtime::g* curg = mp->curg;
    if (curg != nullptr)
      text += " (goroutine " + std::to_string(static_cast<std::int64_t>(curg->goid)) + ")";
    text += " " + StateOf(v) + (v.daemon ? ", sysmon" : "") + ", after " + std::to_string(v.steps) +
            " steps\n";
    if (v.state == ThreadView::kEnded) continue;
    std::size_t shown = 0;
    for (const StackFrame& frame : StackFrom(mp, v.fp)) {
      if (shown++ == kFrames) break;
      text += "      " + frame.function + "  " + frame.place + "\n";
    }
  }
  runtime::write(2, text.data(), text.size());
}

}  // namespace

void DescribeLivelock() {
  LeaveTheRuntime();
  if (!ReportRingNow()) DescribeThreads();
}

void DescribeIdle() {
  LeaveTheRuntime();
  std::string text;
  for (std::int32_t i = 0; i < runtime::allp.len; i++) {
    const runtime::p* pp = runtime::allp[i];
    if (pp == nullptr) continue;
    const std::uint32_t queued = Queued(pp);
    text += "  P" + std::to_string(i) +
            (pp->status.Load() == runtime::_Pidle ? ": idle" : ": in use") +
            (queued > 0 ? ", " + std::to_string(queued) + " in its run queue" : "") + "\n";
  }
  const std::int32_t global = runtime::sched.runqsize;
  if (global > 0) text += "  " + std::to_string(global) + " in the global run queue\n";
  runtime::write(2, text.data(), text.size());
  DescribeThreads();
}

void DescribeDeadlock() {
  LeaveTheRuntime();
  if (ReportRingNow()) return;
  const std::string text =
      std::string("\n") + kReportBegin + "\nno thread can ever run again, and no timer is due:\n";
  runtime::write(2, text.data(), text.size());
  DescribeThreads();
  const std::string end = std::string(kReportEnd) + "\n";
  runtime::write(2, end.data(), end.size());
}

}  // namespace gort::chaos
