// System calls on every thread, while signals come in that a goroutine has asked for, and a thread is
// locked to a goroutine that waits: every call is made, and the signal arrives.
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "runtime/go.h"
#include "runtime/signal.h"
#include "runtime/syscall.h"

using namespace gort;

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto hangups = make_chan<os::Signal>(1);
    os::signal::Notify(hangups, SIGHUP);
    auto done = make_chan<int>(4);
    go([=] {
      runtime::LockOSThread();
      auto never = make_chan<int>();
      never.recv();
    });
    go([=] {
      for (int i = 0; i < 3; i++)
        if (syscall::AllThreadsSyscall(SYS_prctl, PR_SET_KEEPCAPS, 1) != 0) panic("prctl failed");
      done.send(0);
    });
    go([=] {
      for (int i = 0; i < 3; i++) syscall::Kill(syscall::Getpid(), SIGHUP);
      done.send(0);
    });
    if (hangups.recv() != SIGHUP) panic("not SIGHUP");
    done.recv();
    done.recv();
  });
}
