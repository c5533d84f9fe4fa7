// Two signals for two channels, and no more for one of them in the middle: each signal that was sent to a
// channel that takes it arrives, also one that has come just before Stop, and none once Stop has returned.
#include <signal.h>

#include "runtime/go.h"
#include "runtime/proc.h"
#include "runtime/signal.h"
#include "runtime/signal_unix.h"
#include "runtime/syscall.h"

using namespace gort;

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto both = make_chan<os::Signal>(16);
    auto one = make_chan<os::Signal>(16);
    os::signal::Notify(both, SIGHUP, SIGUSR1);
    os::signal::Notify(one, SIGUSR1);
    auto done = make_chan<int>(3);
    for (const int sig : {SIGHUP, SIGUSR1})
      go([=] {
        for (int i = 0; i < 3; i++) {
          syscall::Kill(syscall::Getpid(), sig);
          runtime::Gosched();
        }
        done.send(0);
      });
    go([=] {
      one.recv();
      while (len(one) > 0) one.recv();
      // It has come when this returns, for it is this thread's.
      runtime::LockOSThread();
      runtime::signalM(runtime::getg()->m, SIGUSR1);
      os::signal::Stop(one);
      if (len(one) == 0) panic("a signal that came before Stop is lost");
      while (len(one) > 0) one.recv();
      for (int i = 0; i < 10; i++) runtime::Gosched();
      if (len(one) > 0) panic("a signal has come after Stop");
      done.send(0);
    });
    bool hup = false, usr1 = false;
    while (!hup || !usr1) (both.recv() == SIGHUP ? hup : usr1) = true;
    for (int i = 0; i < 3; i++) done.recv();
  });
}
