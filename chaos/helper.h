// The helper: a goroutine of the chaos library that grants what is asked for at points (Request).
//
// Invariants:
//  - Ask may be called at any point, whatever locks its thread holds, with or without a P, in a
//    signal handler: it is one atomic operation and, perhaps, one futex call. Requests of one kind
//    that have not been granted yet are one request.
//  - The helper is a goroutine of the runtime's (systemg), and its M counts as idle while it waits
//    (nmidlelocked): whether all goroutines of the program are asleep is seen as without it.
//  - It holds no P while it waits, and looks for calls that all threads must make (mDoFixup).
#pragma once

#include <atomic>
#include <cstdint>

#include "chaos/spec.h"

namespace gort::chaos {

struct HelperOptions {
  std::int64_t pauseMicros = 0;  // rest between two requests
  bool catchHangup = false;  // SIGHUP is asked for, so that it does not end the program
};

// StartHelper starts it. Once, on a thread with a P, when the runtime has booted.
void StartHelper(const HelperOptions& options);

// HelperReady: it has done what HelperOptions say and waits for requests.
bool HelperReady();

void Ask(Request request);

// What has been asked for, a bit for each kind: the futex that the helper sleeps on.
extern std::atomic<std::uint32_t> requested;
constexpr std::uint32_t RequestBit(Request r) { return 1u << static_cast<int>(r); }

// Granted is how often requests of the kind have been granted.
std::int64_t Granted(Request request);

// CheckHeapAndStacks collects twice, with the checks that GODEBUG asks for, and walks all
// goroutines' stacks. On a goroutine.
void CheckHeapAndStacks();

}  // namespace gort::chaos
