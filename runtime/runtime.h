// The pace of cputicks. Ports the part of runtime.go that measures it.
#pragma once

#include "sys.h"

namespace gort::runtime {

// Increments of cputicks in a second. The first call takes a tenth of a second.
std::int64_t tickspersecond();

}  // namespace gort::runtime
