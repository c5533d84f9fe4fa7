// What the runtime does about each signal. Ports sigtab_linux_generic.go and the flags of
// runtime2.go.
//
// The table, by the rules of Go's os/signal documentation:
//  - a signal with sigNotify goes to os::signal::Notify if anybody asked for it;
//  - otherwise sigKill ends the process quietly, as the system would; sigThrow ends it with a dump of
//    all goroutines; sigPanic becomes a panic when the code of a goroutine caused it, and is as
//    sigThrow when it comes from elsewhere; without any of them the signal is dropped;
//  - sigDefault: no handler is installed until somebody asks for the signal;
//  - sigSetStack: the C library's own; only its flags are changed, so that its handler runs on the
//    signal stack;
//  - sigUnblock: never blocked on a thread of ours;
//  - sigIgn: the system's default action is to do nothing.
#pragma once

#include <signal.h>

#include "sys.h"

namespace gort::runtime {

inline constexpr std::uint32_t nsig = 65;  // _NSIG; 0 is none, 1 to 64 are signals

inline constexpr std::uint8_t sigNotify = 1 << 0;
inline constexpr std::uint8_t sigKill = 1 << 1;
inline constexpr std::uint8_t sigThrow = 1 << 2;
inline constexpr std::uint8_t sigPanic = 1 << 3;
inline constexpr std::uint8_t sigDefault = 1 << 4;
inline constexpr std::uint8_t sigSetStack = 1 << 6;
inline constexpr std::uint8_t sigUnblock = 1 << 7;
inline constexpr std::uint16_t sigIgn = 1 << 8;

struct sigTabT {
  std::uint16_t flags;
  const char* name;
};

inline constexpr sigTabT sigtable[nsig] = {
    {0, "SIGNONE: no trap"},
    {sigNotify | sigKill, "SIGHUP: terminal line hangup"},
    {sigNotify | sigKill, "SIGINT: interrupt"},
    {sigNotify | sigThrow, "SIGQUIT: quit"},
    {sigThrow | sigUnblock, "SIGILL: illegal instruction"},
    {sigThrow | sigUnblock, "SIGTRAP: trace trap"},
    {sigNotify | sigThrow, "SIGABRT: abort"},
    {sigPanic | sigUnblock, "SIGBUS: bus error"},
    {sigPanic | sigUnblock, "SIGFPE: floating-point exception"},
    {0, "SIGKILL: kill"},
    {sigNotify, "SIGUSR1: user-defined signal 1"},
    {sigPanic | sigUnblock, "SIGSEGV: segmentation violation"},
    {sigNotify, "SIGUSR2: user-defined signal 2"},
    {sigNotify, "SIGPIPE: write to broken pipe"},
    {sigNotify, "SIGALRM: alarm clock"},
    {sigNotify | sigKill, "SIGTERM: termination"},
    {sigThrow | sigUnblock, "SIGSTKFLT: stack fault"},
    {sigNotify | sigUnblock | sigIgn, "SIGCHLD: child status has changed"},
    {sigNotify | sigDefault | sigIgn, "SIGCONT: continue"},
    {0, "SIGSTOP: stop, unblockable"},
    {sigNotify | sigDefault | sigIgn, "SIGTSTP: keyboard stop"},
    {sigNotify | sigDefault | sigIgn, "SIGTTIN: background read from tty"},
    {sigNotify | sigDefault | sigIgn, "SIGTTOU: background write to tty"},
    {sigNotify | sigIgn, "SIGURG: urgent condition on socket"},
    {sigNotify, "SIGXCPU: cpu limit exceeded"},
    {sigNotify, "SIGXFSZ: file size limit exceeded"},
    {sigNotify, "SIGVTALRM: virtual alarm clock"},
    {sigNotify | sigUnblock, "SIGPROF: profiling alarm clock"},
    {sigNotify | sigIgn, "SIGWINCH: window size change"},
    {sigNotify, "SIGIO: i/o now possible"},
    {sigNotify, "SIGPWR: power failure restart"},
    {sigThrow, "SIGSYS: bad system call"},
    // 32 cancels threads, 33 is setxid; 34 is musl's.
    {sigSetStack | sigUnblock, "signal 32"},
    {sigSetStack | sigUnblock, "signal 33"},
    {sigSetStack | sigUnblock, "signal 34"},
    {sigNotify, "signal 35"},
    {sigNotify, "signal 36"},
    {sigNotify, "signal 37"},
    {sigNotify, "signal 38"},
    {sigNotify, "signal 39"},
    {sigNotify, "signal 40"},
    {sigNotify, "signal 41"},
    {sigNotify, "signal 42"},
    {sigNotify, "signal 43"},
    {sigNotify, "signal 44"},
    {sigNotify, "signal 45"},
    {sigNotify, "signal 46"},
    {sigNotify, "signal 47"},
    {sigNotify, "signal 48"},
    {sigNotify, "signal 49"},
    {sigNotify, "signal 50"},
    {sigNotify, "signal 51"},
    {sigNotify, "signal 52"},
    {sigNotify, "signal 53"},
    {sigNotify, "signal 54"},
    {sigNotify, "signal 55"},
    {sigNotify, "signal 56"},
    {sigNotify, "signal 57"},
    {sigNotify, "signal 58"},
    {sigNotify, "signal 59"},
    {sigNotify, "signal 60"},
    {sigNotify, "signal 61"},
    {sigNotify, "signal 62"},
    {sigNotify, "signal 63"},
    {sigNotify, "signal 64"},
};

}  // namespace gort::runtime
