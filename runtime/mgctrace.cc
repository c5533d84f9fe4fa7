// The line that GODEBUG=gctrace=1 prints for each cycle. Ports that part of mgc.go.
//
//   gc 7 @0.105s 2%: 0.018+1.3+0.076 ms clock, 0.018+0.24/0.87/0+0.076 ms cpu, 4->5->1 MB, 4 MB goal,
//   0 MB stacks, 0 MB globals, 2 P
//
// Clock: sweep termination (world stopped), marking, mark termination (world stopped). cpu: the same,
// with assists, dedicated and fractional workers, and idle workers apart. Heap: at the start, at the
// end of marking, and what of it is alive.
#include "mgc.h"
#include "print.h"
#include "proc.h"

namespace gort::runtime {

namespace {

struct text {
  char buf[24];
  int i = sizeof buf;
  std::string_view str() const { return {buf + i, sizeof buf - static_cast<std::size_t>(i)}; }
};

// val / 10^dec, with dec decimals.
text itoaDiv(std::uint64_t val, int dec) {
  text t;
  int digits = 0;
  do {
    if (digits == dec && dec != 0) t.buf[--t.i] = '.';
    t.buf[--t.i] = static_cast<char>('0' + val % 10);
    val /= 10;
    digits++;
  } while (val != 0 || digits <= dec);
  return t;
}

// Nanoseconds as milliseconds: whole ones from 10 on, otherwise two digits that count.
text fmtNSAsMS(std::int64_t ns) {
  auto n = static_cast<std::uint64_t>(ns);
  if (n >= 10000000) return itoaDiv(n / 1000000, 0);
  std::uint64_t x = n / 1000;
  if (x == 0) return itoaDiv(0, 0);
  int dec = 3;
  while (x >= 100) {
    x /= 10;
    dec--;
  }
  return itoaDiv(x, dec);
}

}  // namespace

void printgctrace() {
  std::int64_t markTermCPU = work.stwprocs * (work.tEnd - work.tMarkTerm);
  printlock();
  print("gc ", memstats.numgc, " @",
        itoaDiv(static_cast<std::uint64_t>(work.tSweepTerm - runtimeInitTime) / 1000000, 3).str(),
        "s ", static_cast<int>(memstats.gcCPUFraction * 100), "%: ");
  print(fmtNSAsMS(work.tMark - work.tSweepTerm).str(), "+",
        fmtNSAsMS(work.tMarkTerm - work.tMark).str(), "+",
        fmtNSAsMS(work.tEnd - work.tMarkTerm).str(), " ms clock, ");
  print(fmtNSAsMS(work.stwprocs * (work.tMark - work.tSweepTerm)).str(), "+",
        fmtNSAsMS(gcController.assistTime.Load()).str(), "/",
        fmtNSAsMS(gcController.dedicatedMarkTime.Load() + gcController.fractionalMarkTime.Load())
            .str(),
        "/", fmtNSAsMS(gcController.idleMarkTime.Load()).str(), "+", fmtNSAsMS(markTermCPU).str(),
        " ms cpu, ");
  print(work.heap0 >> 20, "->", work.heap1 >> 20, "->", work.heap2 >> 20, " MB, ",
        gcController.lastHeapGoal.Load() >> 20, " MB goal, ",
        gcController.lastStackScan.Load() >> 20, " MB stacks, ",
        gcController.globalsScan.Load() >> 20, " MB globals, ", work.maxprocs, " P",
        work.userForced ? " (forced)\n" : "\n");
  printunlock();
}

}  // namespace gort::runtime
