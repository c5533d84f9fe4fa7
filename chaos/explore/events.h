// What happens in a run, for those who look at it afterwards: a JSON object on each line of a file. chaos/events.h reads it. Before the run the controller writes the header,
// after it what the program has printed and how it ended; and it puts names to the addresses of
// stacks, which the run has no time for. All of it is nothing as long as there is none.
#pragma once

#include <cstdint>

#include "chaos/explore/schedule.h"

namespace gort::chaos {

void BeginEvents(int fd);
void EventThread(int thread);
// The turn goes to `thread`.
void EventTurn(int thread, Reason reason, bool ended);
void EventWait(const volatile void* futex, std::int64_t ns);
void EventWake(int thread);
void EventSignal(int sig, const char* phase, int to = -1);
void EventPoint(int point, std::uint32_t injection);
void EventLock(const volatile void* lock, bool locked);
// A switch that a deviation makes: with the stack of the current thread.
void EventSwitch(int to, bool preemption);
void EventEnd(const char* outcome);

}  // namespace gort::chaos
