// What may be done to a running program at a point, by scripts and by storms. All of it is called
// on a system stack, on the thread that has come to the point, and takes no lock of the runtime.
#pragma once

#include <cstdint>

#include "chaos/dice.h"
#include "runtime/runtime2.h"

namespace gort::chaos {

// Whatever is drawn at points. Seeded before the runtime boots.
extern Dice dice;

const runtime::m* CurrentM();

// Nanotime is the runtime's nanotime, without what TSan would see of that: at some points the
// thread still counts as a goroutine that another thread may run already.
std::int64_t Nanotime();

// CallRuntime calls f, which calls functions of the runtime that may come to points: there nothing
// is injected, CallingRuntime is true.
void CallRuntime(void (*f)());
bool CallingRuntime();

// MovableGoroutine is gp, or null if its stack cannot be told to move: it is pinned, in a system
// call, or not running.
runtime::g* MovableGoroutine(runtime::g* gp);

// MoveStack makes gp's stack move at the next function that it enters, as if there were no room.
// Null is passed over. At newstack_moved this makes every function move the stack.
void MoveStack(runtime::g* gp);

// Preempt asks one running P, drawn, for preemption as sysmon does: by gp's limit and by a signal.
// When it is the caller's own, gp is asked.
void Preempt(runtime::g* gp);

// SendSignal sends signal sig to a target of Action.
void SendSignal(int sig, std::int64_t target);

// Starve makes an M, that draw stands for, sleep at each point that it comes to until the time has
// come.
void Starve(std::uint64_t draw, std::int64_t untilNanotime);

// SleepIfStarved is called at each point.
void SleepIfStarved();

// How long all threads have slept because they were starved, ns.
std::int64_t StarvedFor();

}  // namespace gort::chaos
