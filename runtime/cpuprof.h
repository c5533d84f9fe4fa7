// The CPU profile: stacks of what each thread was doing at each tick of a clock of its own CPU time.
// Ports cpuprof.go, and what belongs to it in proc.go (sigprof, setcpuprofilerate), os_linux.go (timers)
// and signal_unix.go. Programs use runtime::pprof::StartCPUProfile (pprof.h).
//
//   cpuprof.cc         starting and stopping; what goroutines read
//   cpuprof_signal.cc  what runs in the handler of SIGPROF
//
// Every M has a timer (timer_create) that counts its CPU time and sends SIGPROF to it; its first tick
// comes after a random part of the period, so that threads which run for a short time are not
// overlooked. M's that a goroutine has not run on since the profile began have no timer yet: execute
// makes one. For threads that are not the runtime's there is setitimer, whose signals our own threads
// ignore.
//
// Invariants:
//  - cpuprof.log is written under prof.signalLock, by handlers, and is not null while prof.hz is not 0.
//    signalLock is a spin lock: it is taken in a handler, where all signals are blocked, or by a thread
//    that has stopped its own timer before (m.profilehz is 0, so that its handler does not try).
//  - cpuprof.lock protects the rest of cpuprof; it is no lock of handlers.
//  - In the handler nothing is allocated or locked (but signalLock), nothing is instrumented by TSan,
//    and no word is read outside the bounds of the interrupted stack.
#pragma once

#include "lock_futex.h"
#include "profbuf.h"
#include "runtime2.h"

namespace gort::runtime {

inline constexpr int maxCPUProfStack = 64;

struct cpuProfile {
  mutex lock;
  bool on;  // protected by lock
  // Null when no profile runs and the last one has been read. Changed under lock while no handler
  // writes; read by handlers.
  atomic::Racy<profBuf*> log;

  // Protected by prof.signalLock: stacks from threads that are not the runtime's, each behind 1 + its
  // length, for the next handler on one of ours to write, and how many had no room.
  uintptr extra[1000];
  int numExtra;
  std::uint64_t lostExtra;

  // In a handler: adds a stack to the profile; tag as profBuf::write.
  void add(void* tag, const uintptr* stk, int n);
  void addNonGo(const uintptr* stk, int n);
  void addExtra();
};
extern cpuProfile cpuprof;

struct profT {
  atomic::Uint32 signalLock;
  atomic::Int32 hz;  // changed under signalLock; a handler that reads 0 has nothing to do
};
extern profT prof;

// ---- for the handler of SIGPROF; on gsignal ----

// Whether a SIGPROF with that si_code is one to count on mp's thread; mp is null on a thread that is not
// the runtime's. A thread with a timer takes no notice of setitimer's signals, which would count it
// twice.
bool validSIGPROF(m* mp, std::int32_t code);
// Takes a sample. pc, sp and bp are the registers of the interrupted code, gp the g that was current (a
// goroutine or g0), mp its M.
void sigprof(uintptr pc, uintptr sp, uintptr bp, g* gp, m* mp);
// The same on a thread that is not the runtime's.
void sigprofNonGoPC(uintptr pc);

// ---- for the scheduler ----

// Gives the current M a timer of hz ticks a second, 0 for none. On its thread.
void setThreadCPUProfiler(std::int32_t hz);

// ---- for package pprof ----

// Starts a profile of hz samples a second of CPU time; 0 or less stops it. To change the rate, stop
// first.
void SetCPUProfileRate(int hz);
// What has been recorded since the last call; whole records, as profBuf has them. eof: the profile was
// stopped, this was all, and another may be started. One reader at a time.
profBuf::readResult readProfile(std::uint64_t* dst, int maxdata, void** dsttags, int maxtags);

// What samples are attributed to that belong to no function of the program.
void _System();
void _ExternalCode();
void _LostExternalCode();
void _GC();
void _VDSO();

}  // namespace gort::runtime
