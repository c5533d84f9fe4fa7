// Goroutines lock themselves to their threads for a while, between calls that let go of the P, hand each
// other values there, and one ends with its thread: who is locked stays on its thread, alone on it, and
// who is not goes on.
#include <sys/syscall.h>

#include <atomic>

#include "runtime/go.h"
#include "runtime/os_linux.h"
#include "runtime/syscall.h"

using namespace gort;

namespace {

constexpr int kGoroutines = 4;
constexpr int kRounds = 5;
constexpr unsigned kLong = 60;  // microseconds, more than sysmon lets a P stay in a system call
constexpr int kThreads = 128;

// By thread: the number of the goroutine that is locked to it, 0 for none.
struct Owner {
  std::atomic<int> thread;
  std::atomic<int> owner;
};
Owner owners[kThreads];

// Thread ids are in no order: each takes the first entry that is free.
std::atomic<int>& ownerOf(int thread) {
  for (Owner& o : owners) {
    int nobody = 0;
    if (o.thread.compare_exchange_strong(nobody, thread) || nobody == thread) return o.owner;
  }
  panic("more threads than there should be");
}

int here() { return static_cast<int>(syscall::Syscall(SYS_gettid)); }

class Locked {
 public:
  explicit Locked(int number) : number_(number) {
    runtime::LockOSThread();
    thread_ = here();
    if (ownerOf(thread_).exchange(number) != 0) panic("two are locked to one thread");
  }
  void Check() const {
    if (here() != thread_ || ownerOf(thread_) != number_)
      panic("who was locked to a thread has left it");
  }
  void Unlock() const {
    Check();
    ownerOf(thread_) = 0;
    runtime::UnlockOSThread();
  }

 private:
  int number_;
  int thread_;
};

void worker(int number, chan<int> in, chan<int> out, chan<int> done) {
  for (int i = 0; i < kRounds; i++) {
    syscall::Getpid();
    const Locked locked(number);
    switch ((i + number) % 4) {
      case 0:
        runtime::Gosched();
        break;
      case 1:
        runtime::cgocall([] { runtime::usleep(kLong); });
        break;
      case 2: {
        int v = 0;
        while (select(send_case(out, number), recv_case(in, v), default_case) == 2)
          runtime::Gosched();
        break;
      }
      default:
        syscall::Getpid();
    }
    locked.Unlock();
    if (i % 2 == 0) runtime::cgocall([] { runtime::usleep(1); });
  }
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto one = make_chan<int>(2), other = make_chan<int>(2);
    auto done = make_chan<int>(kGoroutines + 3);
    for (int i = 1; i <= kGoroutines; i++)
      go(worker, i, i % 2 == 0 ? one : other, i % 2 == 0 ? other : one, done);
    // Its thread ends with it.
    go([=] {
      runtime::LockOSThread();
      runtime::Gosched();
      done.send(0);
    });
    go([=] {
      runtime::GC();
      done.send(0);
    });
    go([=] {
      for (int i = 0; i < 20; i++) runtime::Gosched();
      done.send(0);
    });
    for (int i = 0; i < kGoroutines + 3; i++) done.recv();
  });
}
