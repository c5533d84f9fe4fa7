// Signals: which are handled, what becomes of them, and each thread's signal stack and mask. Ports
// signal_unix.go, signal_amd64.go and the signal part of os_linux.go. What runs inside a handler is
// signal_handler.cc; who hears of signals, sigqueue.cc; preemption, preempt.cc.
//
// Invariants:
//  - Every handler of the runtime is gort_sigtramp, installed by the raw system call with SA_ONSTACK,
//    SA_RESTART and all signals blocked while it runs. TSan's own sigaction would put deliveries off.
//  - handlingSig[s] is 1 exactly while gort_sigtramp is meant to be the handler of s; fwdSig[s] is
//    what was there before. Both change by atomic operations only: the handler reads them.
//  - Every M's thread has gsignal's stack as its alternate stack from minit to unminit.
//  - A thread of ours starts with every signal blocked (newosproc) and takes its mask in minit: that
//    of its creator, without the signals that no M may block.
#pragma once

#include "runtime2.h"
#include "sigtab_linux.h"

namespace gort::runtime {

inline constexpr std::uint32_t sigPreempt = SIGURG;

inline constexpr uintptr sig_dfl = 0;
inline constexpr uintptr sig_ign = 1;

inline constexpr sigset sigset_all = ~sigset(0);
constexpr sigset sigmaskOf(std::uint32_t sig) { return sigset(1) << (sig - 1); }

const char* signame(std::uint32_t sig);  // «SIGHUP: terminal line hangup»; null for no signal

void initsig();  // installs the handlers; once, before the second thread
void mpreinit(m* mp);  // allocates the signal stack; on the creating thread
void minit(m* mp);  // on the new thread: signal stack and mask
void unminit(m* mp);  // on the ending thread, whose signals are blocked

// The handler of sig as the kernel has it, and a new one: an address, or sig_dfl or sig_ign.
uintptr getsig(std::uint32_t sig);
void setsig(std::uint32_t sig, uintptr fn);
// True if the runtime has a handler for sig from the start on.
bool sigInstallGoHandler(std::uint32_t sig);
bool blockableSig(std::uint32_t sig);

// The calling thread's mask of blocked signals.
sigset sigsave();
void msigrestore(sigset mask);
void sigblock(bool exiting);  // all; a thread that ends leaves the C library's own unblocked
void unblocksig(std::uint32_t sig);

// For os::signal. On a goroutine; they wait until the mask of the thread that takes signals nobody
// else takes has changed.
void sigenable(std::uint32_t sig);
void sigdisable(std::uint32_t sig);
void sigignore(std::uint32_t sig);

// Ends the process as sig's default action does; status 2 if that does not end it.
[[noreturn]] void dieFromSignal(std::uint32_t sig);

// Sends sig to mp's thread; nothing if that has ended.
void signalM(m* mp, std::uint32_t sig);
// Asks mp's thread by a signal to preempt what it runs.
void preemptM(m* mp);

// The goroutine has run into a fault (g.sig): panics, or ends the process. Called as if by the
// instruction that faulted.
[[noreturn]] void sigpanic();

extern atomic::Uintptr fwdSig[nsig];
extern atomic::Uint32 handlingSig[nsig];

// ---- preempt.cc, for the handler ----
// True if gp, which this thread runs, has been asked to stop.
bool wantAsyncPreempt(g* gp);
// True if gp may be stopped at pc with stack pointer sp.
bool isAsyncSafePoint(g* gp, uintptr pc, uintptr sp);
// A block for the vector registers of one goroutine.
void* allocvecstate();
void freevecstate(void* p);
// [p, p+n) of such a block can hold pointers.
uintptr vecstatesize();
void asyncpreemptinit();

extern "C" {
void gort_sigtramp();
void gort_sigreturn();
void gort_sigfwd(void (*fn)(int, siginfo_t*, void*), int sig, siginfo_t* info, void* ctx);
void gort_asyncPreempt();
}

}  // namespace gort::runtime
