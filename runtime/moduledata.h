// Where the program's own image lies in memory, without shared libraries. In the place of
// moduledata of symtab.go, which Go's linker fills.
//
//   start                  etext                    data         edata  bss            end
//   | constants | code     | relro, tables, gaps    | initialised | gap  | zeroed data  |
//
// lld puts all that is never written in front of etext; what the program writes is behind it.
#pragma once

#include "sys.h"

// The linker's symbols. data_start is the C start-up code's.
extern "C" {
extern const char __executable_start[];
extern const char etext[];
extern const char data_start[] __attribute__((weak));
extern const char edata[];
extern const char __bss_start[];
extern const char end[];
// goroutine.lds: variables that are no roots.
extern const char __gort_noroots[];
extern const char __gort_enoroots[];
}

namespace gort::runtime {

struct moduledata {
  uintptr start, etext;
  uintptr data, edata;
  uintptr bss, end;
  uintptr noroots, enoroots;  // in data

  // In constants or code.
  GORT_INLINE bool isConstant(uintptr p) const { return start <= p && p < etext; }
  // In what may be written.
  GORT_INLINE bool isWritable(uintptr p) const { return etext <= p && p < end; }
  GORT_INLINE bool contains(uintptr p) const { return start <= p && p < end; }
};

GORT_INLINE uintptr addressOf(const char* symbol) { return reinterpret_cast<uintptr>(symbol); }

GORT_INLINE moduledata firstmoduledata() {
  return {addressOf(__executable_start), addressOf(::etext),
          addressOf(data_start),         addressOf(::edata),
          addressOf(__bss_start),        addressOf(::end),
          addressOf(__gort_noroots),     addressOf(__gort_enoroots)};
}

}  // namespace gort::runtime
