// The select statement. Ports select.go; programs use select(...) of gochan.h.
//
// Invariants:
//  - The cases are looked at in random order (pollorder), their channels locked in order of address
//    (lockorder). A channel that stands in several cases is locked once.
//  - g.waiting lists the sudogs of a parked select in lock order, one for each case with a channel.
//  - While the select is parked, the winner is decided by the CAS of g.selectDone alone. It goes
//    back to 0 only once the select holds all its channels' locks again.
//  - Element pointers mean what chan.h says. A case that was not taken keeps its value, or its raw
//    memory, as it was.
#pragma once

#include "chan.h"

namespace gort::runtime {

struct scase {
  hchan* c;  // null: the case can never proceed
  void* elem;  // data element
};

struct selectgoResult {
  std::int64_t chosen;  // index into the scases, -1 when none was ready and block was false
  bool recvOK;  // the chosen case received a value
};

inline constexpr std::int64_t maxSelectCases = 65536;

// cas0: nsends + nrecvs cases, those that send first; order0: room for twice as many indices, not
// initialised. Both on the caller's stack. With block false it gives up instead of waiting.
// Panics with «send on closed channel».
selectgoResult selectgo(scase* cas0, std::uint16_t* order0, std::int64_t nsends,
                        std::int64_t nrecvs, bool block);

// select {}
[[noreturn]] void block();

enum selectDir : std::uint8_t { selectSend = 1, selectRecv, selectDefault };

// One case of a select whose number of cases is known at run time only. The element is named by its
// distance from the record, so that records on a stack may move with it.
struct runtimeSelect {
  selectDir dir;
  std::int32_t elemoff;  // of the element, in bytes
  hchan* ch;
};

// Selects among n records that begin stride bytes apart; chosen is the record's index. At most
// maxSelectCases, of which at most one is a default; no records at all block for ever.
// Throws «select: too many cases».
selectgoResult rselect(runtimeSelect* cases, uintptr stride, std::int64_t n);

}  // namespace gort::runtime
