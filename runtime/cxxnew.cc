// operator new and delete of a program that has this runtime: memory from malloc, registered so that
// the collector finds pointers in it. See cxxnew.h.
//
// Each block begins with a header, which stands right before the address that the program gets:
//
//      base (malloc's)        header (32 bytes)              the program's
//      | room for alignment | next, prev, size, shard, off | size bytes ... |
//
// Invariants:
//  - From the return of new to the call of delete the block is in the list of its shard, on whatever
//    thread either happens: goroutine, g0, a thread that the runtime does not know, or before Main.
//  - A block is zero when it is handed out: nothing of an earlier life looks like a pointer.
//  - delete tells the write barrier of each word before the block leaves its list, without a safe
//    point in between: a pointer that was only there and now is in a stack that has been scanned stays
//    alive until the next cycle.
//  - Nothing else that is stored here or overwritten goes through a write barrier. That is why the
//    collector looks at these blocks, as it does at global variables, while the world is stopped.
//
// A shard is a P's: its blocks follow each other in the order in which they were made, so that the
// neighbours that link and unlink touch are as a rule still in the processor's caches, and its lock is
// free as a rule.
//
// On a goroutine the work is done on g0. Calls of malloc need 16 KiB of stack, and the check for so
// much is no cheap one (asm_amd64.S), so the functions below have none: they never run elsewhere.
//
// A shard's lock protects its list: the links of its blocks. Its size counter is written under the
// lock. Locks of work buffers and of the heap may be taken under it (rank cxxRoots).
//
// TSan sees malloc and free, and so a block's life; it does not see the lists nor their locks, which
// would order unrelated goroutines.
#include "cxxnew.h"

#include <cstdlib>
#include <new>

#include "atomic.h"
#include "lock_futex.h"
#include "mbarrier.h"
#include "mheap.h"
#include "panic_throw.h"
#include "stubs.h"

#if GORT_TSAN
extern "C" {
void AnnotateIgnoreSyncBegin(const char* file, int line);
void AnnotateIgnoreSyncEnd(const char* file, int line);
}
#endif

namespace gort::runtime {

namespace {

struct block {
  block* next;
  block* prev;
  uintptr size;  // the program's bytes
  std::uint32_t shard;
  std::uint32_t off;  // from malloc's address to the program's
};
static_assert(sizeof(block) == 32);

// On a cache line of its own.
struct alignas(sys::CacheLineSize) shardT {
  mutex lock;
  block* first;
  // Read without the lock by cxxRootBytes and markCxxRoots.
  atomic::Relaxed<uintptr> bytes;
  constexpr shardT() : first(nullptr) {
#if GORT_CHECKED
    lock.rank = lockRankCxxRoots;
#endif
  }
};
constinit shardT shards[cxxRootShards];

// Beyond this size fresh pages from the system are the rule, which calloc knows to be zero.
constexpr uintptr callocSize = 64 << 10;

#if GORT_TSAN
#define GORT_UNSEEN __attribute__((disable_sanitizer_instrumentation))
// Not preempted meanwhile: a switch of fibers in which synchronisation is ignored would lose the
// order of everything that this M does before and after.
GORT_INLINE void lockshard(shardT* s) {
  if (getg() != nullptr) acquirem();
  AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
  lock(&s->lock);
}
GORT_INLINE void unlockshard(shardT* s) {
  unlock(&s->lock);
  AnnotateIgnoreSyncEnd(__FILE__, __LINE__);
  if (g* gp = getg(); gp != nullptr) releasem(gp->m);
}
#else
#define GORT_UNSEEN
GORT_INLINE void lockshard(shardT* s) { lock(&s->lock); }
GORT_INLINE void unlockshard(shardT* s) { unlock(&s->lock); }
#endif

// The shard for a new block. A thread without a P uses the last one.
GORT_INLINE std::uint32_t currentShard() {
  g* gp = getg();
  if (gp == nullptr || gp->m == nullptr) return cxxRootShards - 1;
  const p* pp = gp->m->p;
  return pp == nullptr ? cxxRootShards - 1 : static_cast<std::uint32_t>(pp->id) % cxxRootShards;
}

GORT_UNSEEN GORT_INLINE void link(block* b) {
  shardT* s = &shards[b->shard];
  lockshard(s);
  b->prev = nullptr;
  b->next = s->first;
  if (b->next != nullptr) b->next->prev = b;
  s->first = b;
  s->bytes += b->size;
  unlockshard(s);
}

GORT_UNSEEN GORT_INLINE void unlink(block* b) {
  shardT* s = &shards[b->shard];
  lockshard(s);
  (b->prev != nullptr ? b->prev->next : s->first) = b->next;
  if (b->next != nullptr) b->next->prev = b->prev;
  s->bytes -= b->size;
  unlockshard(s);
}

// Null when the system has no memory. On g0, or on a thread's own stack.
GORT_UNSEEN GORT_NOSPLIT void* allocateHere(std::size_t size, std::size_t align) {
  uintptr off = align > sizeof(block) ? align : sizeof(block);
  uintptr total;
  if (__builtin_add_overflow(size, off, &total)) return nullptr;
  void* base;
  if (align > alignof(std::max_align_t)) {
    if (posix_memalign(&base, align, total) != 0) return nullptr;
    memclrNoHeapPointers(base, total);
  } else if (total >= callocSize) {
    base = std::calloc(1, total);
  } else {
    base = std::malloc(total);
    if (base != nullptr) memclrNoHeapPointers(base, total);
  }
  if (base == nullptr) return nullptr;
  uintptr p = reinterpret_cast<uintptr>(base) + off;
  auto* b = reinterpret_cast<block*>(p - sizeof(block));
  b->size = size;
  b->shard = currentShard();
  b->off = static_cast<std::uint32_t>(off);
  link(b);
  return reinterpret_cast<void*>(p);
}

// Must not be preempted from here to unlink: m is held.
GORT_UNSEEN GORT_NOINLINE void shadewords(const block* b, const void* p) {
  const auto* w = static_cast<void* const*>(p);
  for (uintptr n = b->size / sys::PtrSize; n > 0; n--, w++)
    if (*w != nullptr) gcWriteBarrier1(*w);
}

GORT_UNSEEN GORT_NOSPLIT void releaseHere(void* p) {
  // Collected objects have no header: unlinking through what stands in front of one would destroy the
  // lists.
  if (GORT_UNLIKELY(mheap_.arenas != nullptr && spanOf(reinterpret_cast<uintptr>(p)) != nullptr))
    throw_("operator delete of collected memory");
  auto* b = reinterpret_cast<block*>(reinterpret_cast<uintptr>(p) - sizeof(block));
  g* gp = getg();
  // A thread without a P holds no pointer that the collector does not know from elsewhere.
  if (gp != nullptr && gp->m != nullptr) {
    m* mp = acquirem();
    if (GORT_UNLIKELY(writeBarrier.enabled) && mp->p != nullptr) shadewords(b, p);
    unlink(b);
    releasem(mp);
  } else {
    unlink(b);
  }
  std::free(reinterpret_cast<void*>(reinterpret_cast<uintptr>(p) - b->off));
}

GORT_INLINE bool onGoroutine() {
  g* gp = getg();
  return gp != nullptr && gp->m != nullptr && gp == gp->m->curg;
}

void* allocate(std::size_t size, std::size_t align) {
  if (!onGoroutine()) return allocateHere(size, align);
  struct call {
    std::size_t size, align;
    void* p;
  } c{size, align, nullptr};
  gort_systemstack(
      [](void* arg) GORT_NOSPLIT {
        auto* c = static_cast<call*>(arg);
        c->p = allocateHere(c->size, c->align);
      },
      &c);
  return c.p;
}

void release(void* p) {
  if (p == nullptr) return;
  if (onGoroutine())
    gort_systemstack(releaseHere, p);
  else
    releaseHere(p);
}

[[noreturn]] GORT_NOINLINE void outOfMemory() {
  if (getg() == nullptr) std::abort();
  throw_("operator new: out of memory");
}

// Another try after the program's handler has made room, if it has one.
GORT_NOINLINE void* allocateAgain(std::size_t size, std::size_t align);

GORT_INLINE void* allocateOrDie(std::size_t size, std::size_t align) {
  void* p = allocate(size, align);
  return GORT_LIKELY(p != nullptr) ? p : allocateAgain(size, align);
}

GORT_NOINLINE void* allocateAgain(std::size_t size, std::size_t align) {
  for (;;) {
    std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) outOfMemory();
    handler();
    if (void* p = allocate(size, align)) return p;
  }
}

constexpr std::size_t defaultAlign = alignof(std::max_align_t);

}  // namespace

GORT_UNSEEN void markCxxRoots(std::uint32_t shard, void (*scan)(uintptr b, uintptr n, void* arg),
                              void* arg) {
  shardT* s = &shards[shard];
  // Most have none. Without the lock: while the world is stopped only threads without a P make blocks,
  // and these hold no pointer that the collector does not know from elsewhere.
  if (s->bytes == 0) return;
  lockshard(s);
  for (block* b = s->first; b != nullptr; b = b->next)
    if (b->size >= sys::PtrSize)
      scan(reinterpret_cast<uintptr>(b) + sizeof(block), alignDown(b->size, sys::PtrSize), arg);
  unlockshard(s);
}

uintptr cxxRootBytes() {
  uintptr n = 0;
  for (const shardT& s : shards) n += s.bytes;
  return n;
}

}  // namespace gort::runtime

// The replaceable functions, all of them: a program must not mix these with the library's.
namespace rt = gort::runtime;
using std::align_val_t;
using std::nothrow_t;
using std::size_t;

void* operator new(size_t n) { return rt::allocateOrDie(n, rt::defaultAlign); }
void* operator new[](size_t n) { return rt::allocateOrDie(n, rt::defaultAlign); }
void* operator new(size_t n, align_val_t a) { return rt::allocateOrDie(n, static_cast<size_t>(a)); }
void* operator new[](size_t n, align_val_t a) {
  return rt::allocateOrDie(n, static_cast<size_t>(a));
}
void* operator new(size_t n, const nothrow_t&) noexcept {
  return rt::allocate(n, rt::defaultAlign);
}
void* operator new[](size_t n, const nothrow_t&) noexcept {
  return rt::allocate(n, rt::defaultAlign);
}
void* operator new(size_t n, align_val_t a, const nothrow_t&) noexcept {
  return rt::allocate(n, static_cast<size_t>(a));
}
void* operator new[](size_t n, align_val_t a, const nothrow_t&) noexcept {
  return rt::allocate(n, static_cast<size_t>(a));
}
void operator delete(void* p) noexcept { rt::release(p); }
void operator delete[](void* p) noexcept { rt::release(p); }
void operator delete(void* p, size_t) noexcept { rt::release(p); }
void operator delete[](void* p, size_t) noexcept { rt::release(p); }
void operator delete(void* p, align_val_t) noexcept { rt::release(p); }
void operator delete[](void* p, align_val_t) noexcept { rt::release(p); }
void operator delete(void* p, size_t, align_val_t) noexcept { rt::release(p); }
void operator delete[](void* p, size_t, align_val_t) noexcept { rt::release(p); }
void operator delete(void* p, const nothrow_t&) noexcept { rt::release(p); }
void operator delete[](void* p, const nothrow_t&) noexcept { rt::release(p); }
void operator delete(void* p, align_val_t, const nothrow_t&) noexcept { rt::release(p); }
void operator delete[](void* p, align_val_t, const nothrow_t&) noexcept { rt::release(p); }
