// Several come at once for a semaphore that has a unit for each, or gets one for each while they come, or has
// fewer and gets the rest from those who have had one: everybody gets a unit.
#include <atomic>

#include "runtime/go.h"
#include "runtime/sema.h"

using namespace gort;

namespace {

constexpr int kTakers = 4;
constexpr int kRounds = 3;

std::atomic<int> units;  // given and not taken
std::atomic<int> taken;  // in the last round

void take(runtime::atomic::Uint32* sema) {
  runtime::semacquire(sema);
  if (units-- <= 0) panic("a unit was handed on that nobody has given");
}

void give(runtime::atomic::Uint32* sema) {
  units++;
  runtime::semrelease(sema);
}

}  // namespace

int main(int argc, char** argv) {
  return gort::Main(argc, argv, [] {
    auto* sema = make<runtime::atomic::Uint32>();
    auto done = make_chan<int>(kTakers + 1);
    for (int round = 0; round < kRounds; round++) {
      // There from the start; one after the other; for two of them only.
      if (round == 0) {
        units = kTakers;
        sema->Store(kTakers);
      }
      for (int i = 0; i < kTakers; i++)
        go([=] {
          take(sema);
          if (round == 2 && taken++ < 2) give(sema);
          done.send(0);
        });
      for (int i = 0; round != 0 && i < (round == 1 ? kTakers : kTakers - 2); i++) give(sema);
      for (int i = 0; i < kTakers; i++) done.recv();
      if (sema->Load() != 0 || units != 0) panic("a unit is left");
    }
  });
}
