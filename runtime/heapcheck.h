// GODEBUG=heapstackcheck=1: finds heap objects that hold addresses of goroutines' stacks, which would
// be wrong as soon as the stack moves. This port's own: Go's compiler keeps the rule, here the
// programmer does.
#pragma once

namespace gort::runtime {

// Looks at every word that may be a pointer in every object of the collected heap. The first one that
// is an address in the stack of a goroutine whose stack may move is reported, with object and
// goroutine, and ends the program: «heap object holds the address of a goroutine's stack». The world
// is stopped; on the system stack.
void checkHeapForStackPointers();

}  // namespace gort::runtime
