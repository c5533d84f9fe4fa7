// Reader/writer lock between Ms, for the runtime itself. Ports runtime/rwmutex.go; programs use
// sync::RWMutex.
//
// Invariants:
//  - Blocks the M, like mutex. A waiting reader keeps its P: if it gave it up, other things that
//    wait for the lock could come to hold all Ps.
//  - readerCount is the number of readers, active and waiting, less rwmutexMaxReaders while a
//    writer has announced itself. readerWait is the number of readers that this writer still waits
//    for.
//  - Protected by rLock: readers (Ms waiting for the writer to finish, linked through m.schedlink),
//    readerPass (readers that the last writer let pass before they had queued) and writer.
//  - wLock is held by the writer from lock to unlock.
//  - A waiting M sleeps on its m.park; its waker is the one that took it out of readers or writer.
#pragma once

#include "runtime2.h"

namespace gort::runtime {

struct rwmutex {
  mutex rLock;
  m* readers = nullptr;
  std::uint32_t readerPass = 0;

  mutex wLock;
  m* writer = nullptr;

  atomic::Int32 readerCount;
  atomic::Int32 readerWait;

  // Neither is preempted between rlock and runlock, nor between lock and unlock.
  void rlock();
  void runlock();
  void lock();
  void unlock();
};

}  // namespace gort::runtime
