// Goroutines on all Ps make objects of which one or two fill a span, so that spans go from set to set all the
// time, while collections begin and are swept: nobody's span is lost, given out twice, or freed early.
#include <cstdlib>

#include "runtime/go.h"
#include "runtime/mheap.h"

using namespace gort;

namespace {

constexpr int kAllocators = 4;
constexpr int kRounds = 16;
constexpr int kKept = 4;
constexpr int kCollections = 2;

template <int kInSpan>
struct Large {
  ptr<Large> next;
  std::int64_t id;
  char rest[runtime::_PageSize / kInSpan - 32];
  std::int64_t again;
};

template <class T>
void check(const T* l) {
  for (; l != nullptr; l = l->next)
    if (l->id != l->again || l->id <= 0) panic("an object was freed early");
}

template <class T>
void allocator(int number, chan<int> done) {
  auto kept = make_slice<ptr<T>>(kKept);
  for (int i = 1; i <= kRounds; i++) {
    auto* l = make<T>();
    if (l->id != 0 || l->again != 0) panic("memory is not empty");
    l->id = l->again = 1000 * (number + 1) + i;
    ptr<T>& place = kept[i % kKept];
    check<T>(place);
    if (i % 3 == 0) l->next = kept[(i + 1) % kKept];
    if (l->next != nullptr) l->next->next = nullptr;
    place = l;
  }
  for (const ptr<T>& l : kept) check<T>(l);
  done.send(number);
}

}  // namespace

int main(int argc, char** argv) {
  // What is freed is overwritten, and small heaps are collected too.
  setenv("GODEBUG", "clobberfree=1", 0);
  setenv("GOGC", "20", 0);
  return gort::Main(argc, argv, [] {
    auto done = make_chan<int>(kAllocators + 1);
    for (int i = 0; i < kAllocators; i++)
      go(i % 3 == 2 ? allocator<Large<1>> : allocator<Large<2>>, i, done);
    go([=] {
      for (int i = 0; i < kCollections; i++) runtime::GC();
      done.send(kAllocators);
    });
    for (int i = 0; i < kAllocators + 1; i++) done.recv();
  });
}
