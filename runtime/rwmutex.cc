// Reader/writer lock between Ms. Ports runtime/rwmutex.go; invariants in rwmutex.h.
#include "rwmutex.h"

#include "proc.h"

namespace gort::runtime {

constexpr std::int32_t rwmutexMaxReaders = 1 << 30;

void rwmutex::rlock() {
  acquirem();
  if (readerCount.Add(1) >= 0) {
    POINT(rwmutex_read_locked);
    return;
  }
  // A writer is there or waiting.
  systemstack([this] {
    lockWithRank(&rLock, lockRankRwmutexR);
    if (readerPass > 0) {
      readerPass--;
      ::gort::runtime::unlock(&rLock);
      return;
    }
    m* mp = getg()->m;
    mp->schedlink = readers;
    readers = mp;
    ::gort::runtime::unlock(&rLock);
    notesleep(&mp->park);
    noteclear(&mp->park);
  });
}

void rwmutex::runlock() {
  std::int32_t r = readerCount.Add(-1);
  if (r < 0) {
    if (r + 1 == 0 || r + 1 == -rwmutexMaxReaders) throw_("runlock of unlocked rwmutex");
    // The last of the readers that the writer found wakes it. 0 is reached only after the writer
    // added their number, which it does under rLock and with writer set when it lets go of it.
    if (readerWait.Add(-1) == 0) {
      lockWithRank(&rLock, lockRankRwmutexR);
      if (writer != nullptr) notewakeup(&writer->park);
      ::gort::runtime::unlock(&rLock);
    }
  }
  releasem(getg()->m);
}

void rwmutex::lock() {
  // Holding wLock keeps this goroutine on its M, too.
  lockWithRank(&wLock, lockRankRwmutexW);
  m* mp = getg()->m;
  // Readers that come from here on wait.
  std::int32_t r = readerCount.Add(-rwmutexMaxReaders) + rwmutexMaxReaders;
  lockWithRank(&rLock, lockRankRwmutexR);
  if (r != 0 && readerWait.Add(r) != 0) {
    systemstack([this, mp] {
      writer = mp;
      ::gort::runtime::unlock(&rLock);
      notesleep(&mp->park);
      noteclear(&mp->park);
    });
  } else {
    ::gort::runtime::unlock(&rLock);
  }
}

void rwmutex::unlock() {
  std::int32_t r = readerCount.Add(rwmutexMaxReaders);
  if (r >= rwmutexMaxReaders) throw_("unlock of unlocked rwmutex");
  lockWithRank(&rLock, lockRankRwmutexR);
  while (readers != nullptr) {
    m* reader = readers;
    readers = reader->schedlink;
    reader->schedlink = nullptr;
    notewakeup(&reader->park);
    r--;
  }
  // The rest have been counted but have not queued yet.
  readerPass += static_cast<std::uint32_t>(r);
  ::gort::runtime::unlock(&rLock);
  ::gort::runtime::unlock(&wLock);
}

}  // namespace gort::runtime
