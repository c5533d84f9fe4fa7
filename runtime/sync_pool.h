// Pool: a cache of objects that are not in use. Ports sync/pool.go.
//
//   static sync::Pool<Buffer> pool{[] { return new Buffer; }};
//   Buffer* b = pool.Get();
//   ...
//   pool.Put(b);
//
// Each P has its own part, so that Get and Put are a few instructions that no other thread sees.
// Objects may vanish from a Pool at any time: what the collector finds there in two cycles in a row
// is dropped. A Pool does not own its objects: it never deletes one. Objects in collected memory
// are freed by the collector; others must be ones that may be forgotten.
//
// Invariants:
//  - local is an array of localSize parts, one for each P with a smaller id. Both change under
//    allPoolsMu with the goroutine pinned, or while the world is stopped. local is stored before
//    localSize and loaded after it, so a reader gets an array of at least the length it read.
//  - poolLocal.private_ and the head end of shared belong to the P: they are touched only by a
//    goroutine that is pinned to it. Everybody may take from the tail of shared.
//  - victim is what local was before the last collection; nothing is put there any more.
#pragma once

#include <functional>
#include <utility>

#include "sync_poolqueue.h"

namespace gort::sync {

struct alignas(128) poolLocal {
  // Atomic for the order that it carries: Put(x) comes before the Get that returns x, also when the
  // P has gone to another M in between.
  runtime::atomic::Pointer<void> private_;
  poolChain shared;
};

class poolBase {
 public:
  constexpr poolBase() = default;
  ~poolBase();
  poolBase(const poolBase&) = delete;
  poolBase& operator=(const poolBase&) = delete;

 protected:
  void* get();  // null if the pool is empty
  void put(void* x);

 private:
  friend void poolCleanup();
  struct pinned {
    poolLocal* l;
    int pid;
  };
  pinned pin();
  pinned pinSlow();
  void* getSlow(int pid);
  static poolLocal* indexLocal(poolLocal* l, std::size_t i) { return l + i; }
  void link(poolBase** list);
  void unlink();

  runtime::atomic::Pointer<poolLocal> local_;
  runtime::atomic::Uint64 localSize_;
  runtime::atomic::Pointer<poolLocal> victim_;
  runtime::atomic::Uint64 victimSize_;
  // The list that the pool is on, allPools or oldPools, null for none, and its neighbours there.
  poolBase** list_ = nullptr;
  poolBase* next_ = nullptr;
  poolBase* prev_ = nullptr;
};

template <class T>
class Pool : private poolBase {
 public:
  Pool() = default;
  template <class F>
  explicit Pool(F f) : New(std::move(f)) {}

  // Makes an object for a Get that finds none; then Get returns null if there is no New. Must not
  // be changed while others call Get.
  std::function<T*()> New;

  // Some object of the pool, or a new one.
  T* Get() {
    if (void* x = get()) return static_cast<T*>(x);
    return New ? New() : nullptr;
  }
  // Gives x to the pool; null is ignored.
  void Put(T* x) {
    if (x != nullptr) put(const_cast<std::remove_const_t<T>*>(x));
  }
};

// Makes each pool's contents its victims and drops the victims of the time before. The world is
// stopped. Must not allocate.
void poolCleanup();

}  // namespace gort::sync
