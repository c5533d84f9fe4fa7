// The queue inside sync::Pool: one producer that works at the head, any number of consumers at the
// tail, no locks. Ports sync/poolqueue.go.
//
// Elements are pointers and never null; null marks an empty slot.
#pragma once

#include "atomic.h"

namespace gort::sync {

// A ring of fixed size.
//
// Invariants:
//  - headTail is head << 32 | tail, both counting up and wrapping: slots [tail, head) hold
//    elements. head is on top so that adding to it overflows into nothing.
//  - Only the producer raises head. Whoever moves tail up, or head down, by CAS owns the slot that
//    leaves the range. A consumer owns it until it stores null there; the producer puts nothing in
//    a slot that is not null.
struct poolDequeue {
  runtime::atomic::Uint64 headTail;
  std::uint32_t size = 0;  // a power of 2; constant
  runtime::atomic::Pointer<void>* vals = nullptr;  // constant; indexed modulo size

  // False if the ring is full. Producer only.
  bool pushHead(void* val);
  // Null if there is none. Producer only.
  void* popHead();
  // Null if there is none.
  void* popTail();
};

struct poolChainElt {
  poolDequeue q;
  // Towards the head. Written by the producer, once.
  runtime::atomic::Pointer<poolChainElt> next;
  // Towards the tail. Cleared by the consumer that drops the ring behind; read by the producer.
  runtime::atomic::Pointer<poolChainElt> prev;
};

// A queue of any size: a list of rings, each twice as large as the one before. The producer fills
// the newest; consumers empty the oldest and drop it.
struct poolChain {
  poolChainElt* head = nullptr;  // producer only
  runtime::atomic::Pointer<poolChainElt> tail;  // written by the producer once, then by consumers

  void pushHead(void* val);  // producer only
  void* popHead();  // producer only
  void* popTail();
};

}  // namespace gort::sync
