// gort for programs: everything that docs/api.md describes, in one header.
//
//   #include "runtime/go.h"
//   using namespace gort;
//   int main(int argc, char** argv) {
//     return Main(argc, argv, [] { ... });
//   }
#pragma once

#include "goruntime.h"
#include "extern.h"
#include "runtime1.h"
#include "gochan.h"
#include "godefer.h"
#include "gofunc.h"
#include "goslice.h"
#include "gotrace.h"
#include "pprof.h"
#include "print.h"
#include "signal.h"
#include "sync.h"
#include "sync_atomic.h"
#include "syscall.h"
#include "time.h"
