// Package syscall for programs. Ports what the runtime's side of it needs: system calls that tell the
// scheduler, and those that every thread has to make.
//
// All return the result, or -errno.
#pragma once

namespace gort::syscall {

// The raw system call nr as a blocking call: the P goes to other goroutines if it lasts.
long Syscall(long nr, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0, long a6 = 0);
// The same for calls that cannot block; keeps the P.
long RawSyscall(long nr, long a1 = 0, long a2 = 0, long a3 = 0);
int Getpid();
// 0, or -errno.
int Kill(int pid, int sig);

// Makes the call on every thread of the runtime, one after the other, while no goroutine runs: for
// what is a thread's own to the kernel and should be the process's (prctl, setresuid, capset ...). If
// it fails on the caller's thread, no other makes it. The threads must not get different results: that
// is fatal («AllThreadsSyscall results differ between threads; runtime corrupted»). Threads that the
// runtime did not make are left out (-ENOTSUP once there is one that called cgocallback); one that is in a system call makes this one afterwards, and is
// waited for.
long AllThreadsSyscall(long nr, long a1 = 0, long a2 = 0, long a3 = 0);
long AllThreadsSyscall6(long nr, long a1, long a2, long a3, long a4, long a5, long a6);

}  // namespace gort::syscall
