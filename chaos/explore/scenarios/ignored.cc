// Signals that are ignored come while somebody begins to ask for them: at no moment do they end the process,
// and the one that is sent then arrives. (The other way, from asked for to ignored, Go leaves such a moment.)
#include <signal.h>

#include "runtime/go.h"
#include "runtime/signal.h"
#include "runtime/syscall.h"

using namespace gort;

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    constexpr int kSignals[] = {SIGUSR2, SIGALRM, SIGTERM};
    os::signal::Ignore(SIGUSR2, SIGALRM, SIGTERM);
    for (const int sig : kSignals) {
      if (!os::signal::Ignored(sig)) panic("a signal is not ignored");
      auto c = make_chan<os::Signal>(8);
      auto done = make_chan<int>(1);
      go([=] {
        for (int i = 0; i < 3; i++) {
          syscall::Kill(syscall::Getpid(), sig);
          runtime::Gosched();
        }
        done.send(0);
      });
      os::signal::Notify(c, sig);
      if (os::signal::Ignored(sig)) panic("a signal is ignored that was asked for");
      syscall::Kill(syscall::Getpid(), sig);
      if (c.recv() != sig) panic("not what was asked for");
      done.recv();
    }
  });
}
