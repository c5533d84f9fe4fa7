// An owner, which blocks on a channel, and its partner. The scenario's argument says what the owner
// does: send, receive, select-send, select-receive.
#pragma once

#include <cstdio>
#include <string_view>

#include "runtime/chan.h"
#include "runtime/go.h"

namespace scenario {

inline std::string_view theCase;
inline gort::chan<long> c, never;

inline constexpr long kValue = 0x600d600d600d600d;
inline constexpr long kNothing = 0x5151515151515151;

inline bool ownerSends() { return theCase == "send" || theCase == "select-send"; }

inline void check(const char* who, long got) {
  if (got == kValue) return;
  std::fprintf(stderr, "scenario: %s should have 0x%lx and has 0x%lx\n", who, kValue, got);
  gort::runtime::fatal("the value was lost");
}

inline void ownerOperates() {
  long v = kNothing, w = kNothing;
  if (theCase == "send") {
    c.send(kValue);
  } else if (theCase == "receive") {
    gort::select(recv_case(c, v));
  } else if (theCase == "select-send") {
    gort::select(recv_case(never, w), send_case(c, kValue));
  } else {
    gort::select(send_case(never, w), recv_case(c, v));
  }
  if (!ownerSends()) check("the receiver", v);
}

inline void partnerOperates() {
  if (ownerSends())
    check("the receiver", c.recv());
  else
    c.send(kValue);
}

// Who is seen on a queue under the lock has parked for good.
inline bool ownerQueued() {
  gort::runtime::hchan* ch = c.raw();
  gort::runtime::lock(&ch->lock);
  const bool queued = (ownerSends() ? ch->sendq : ch->recvq).first.LoadRelaxed() != nullptr;
  gort::runtime::unlock(&ch->lock);
  return queued;
}

}  // namespace scenario
