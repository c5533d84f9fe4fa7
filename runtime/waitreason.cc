// The texts of the wait reasons, which stand in brackets in a goroutine's traceback header. From
// runtime2.go.
#include "runtime2.h"

namespace gort::runtime {

const char* waitReasonString(waitReason w) {
  switch (w) {
    case waitReasonZero:
      return "";
    case waitReasonGCAssistMarking:
      return "GC assist marking";
    case waitReasonIOWait:
      return "IO wait";
    case waitReasonChanReceiveNilChan:
      return "chan receive (nil chan)";
    case waitReasonChanSendNilChan:
      return "chan send (nil chan)";
    case waitReasonDumpingHeap:
      return "dumping heap";
    case waitReasonGarbageCollection:
      return "garbage collection";
    case waitReasonGarbageCollectionScan:
      return "garbage collection scan";
    case waitReasonPanicWait:
      return "panicwait";
    case waitReasonSelect:
      return "select";
    case waitReasonSelectNoCases:
      return "select (no cases)";
    case waitReasonGCAssistWait:
      return "GC assist wait";
    case waitReasonGCSweepWait:
      return "GC sweep wait";
    case waitReasonGCScavengeWait:
      return "GC scavenge wait";
    case waitReasonChanReceive:
      return "chan receive";
    case waitReasonChanSend:
      return "chan send";
    case waitReasonFinalizerWait:
      return "finalizer wait";
    case waitReasonForceGCIdle:
      return "force gc (idle)";
    case waitReasonSemacquire:
      return "semacquire";
    case waitReasonSleep:
      return "sleep";
    case waitReasonSyncCondWait:
      return "sync.Cond.Wait";
    case waitReasonSyncMutexLock:
      return "sync.Mutex.Lock";
    case waitReasonSyncRWMutexRLock:
      return "sync.RWMutex.RLock";
    case waitReasonSyncRWMutexLock:
      return "sync.RWMutex.Lock";
    case waitReasonTraceReaderBlocked:
      return "trace reader (blocked)";
    case waitReasonWaitForGCCycle:
      return "wait for GC cycle";
    case waitReasonGCWorkerIdle:
      return "GC worker (idle)";
    case waitReasonGCWorkerActive:
      return "GC worker (active)";
    case waitReasonPreempted:
      return "preempted";
    case waitReasonDebugCall:
      return "debug call";
    case waitReasonGCMarkTermination:
      return "GC mark termination";
    case waitReasonStoppingTheWorld:
      return "stopping the world";
    case waitReasonFlushProcCaches:
      return "flushing proc caches";
  }
  return "unknown wait reason";
}

}  // namespace gort::runtime
