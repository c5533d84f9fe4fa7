// The kernel's interface, by raw system calls: no errno, no libc state. Ports os_linux.go and the
// system-call stubs of sys_linux_amd64.s.
#pragma once

#include "atomic.h"
#include "sys.h"

namespace gort::runtime {

struct m;

// Raw system call: result, or -errno. Not a preemption point, not seen by TSan.
long rawsyscall(long nr, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0,
                long a6 = 0);

// Sleeps while *addr == val, at most ns nanoseconds (forever when negative). May return early.
void futexsleep(atomic::Uint32* addr, std::uint32_t val, std::int64_t ns);
// Wakes up to cnt threads that sleep on addr. Throws when the kernel refuses.
void futexwakeup(atomic::Uint32* addr, std::uint32_t cnt);

std::int64_t nanotime();  // ns, monotonic
struct walltimeResult {
  std::int64_t sec;
  std::int32_t nsec;
};
walltimeResult walltime();
std::uint64_t cputicks();
void usleep(std::uint32_t usec);
void osyield();
std::int32_t getproccount();
void getRandomData(void* p, uintptr n);
std::int32_t gettid();
// Writes all of [p, p+n) to fd, giving up on an error.
void write(int fd, const void* p, uintptr n);
// Ends the process by that signal's default action, whatever handler there is. Checks no stack.
[[noreturn]] void killself(std::uint32_t sig);
[[noreturn]] void rawexit(int code);  // exit_group
[[noreturn]] void crash();            // ends the process with SIGABRT and a core, if allowed

// Memory from the system: reserved address space is not readable before sysMap.
void* sysAlloc(uintptr n);                 // readable, zero; null when there is none
void* sysReserve(void* hint, uintptr n);   // null when there is none
bool sysMap(void* p, uintptr n);           // makes reserved space readable and zero
void sysFree(void* p, uintptr n);
void sysFault(void* p, uintptr n);         // every access faults from now on
void sysUnused(void* p, uintptr n);        // gives the pages back, contents become zero

// Starts the thread of mp; throws when the system has no more threads.
void newosproc(m* mp);

}  // namespace gort::runtime
