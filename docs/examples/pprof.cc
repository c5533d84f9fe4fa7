// Profiles: what is on the heap, who waits for whom, and where goroutines are.
//
//   ./bazelw run //docs/examples:pprof -- /tmp
//   go tool pprof -top /tmp/heap.pb.gz
//   go tool pprof -top /tmp/mutex.pb.gz
//   go tool pprof -traces /tmp/goroutine.pb.gz
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "runtime/go.h"

using namespace gort;
namespace pprof = runtime::pprof;

struct Page {
  ptr<Page> next;
  char text[4000];
};

ptr<Page> readBook(int pages) {
  ptr<Page> first;
  for (int i = 0; i < pages; i++) {
    ptr<Page> p = make<Page>();
    p->next = first;
    first = p;
  }
  return first;
}

void reader(sync::Mutex* lamp, sync::WaitGroup* wg) {
  lamp->Lock();
  time::Sleep(time::Millisecond);
  lamp->Unlock();
  wg->Done();
}

// Writes a profile to a file in the folder; without one, says only whether there was something in it.
void write(const char* name, const char* folder) {
  std::size_t bytes = 0;
  runtime::Writer w = [n = &bytes](const void*, std::size_t more) {
    *n += more;
    return true;
  };
  if (folder != nullptr) {
    std::string file = std::string(folder) + "/" + name + ".pb.gz";
    w = open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  }
  auto err = pprof::Lookup(name)->WriteTo(w, 0);
  println(name, err ? err.Error() : folder != nullptr || bytes > 0 ? "written" : "is empty");
}

int main(int argc, char** argv) {
  const char* folder = argc > 1 ? argv[1] : nullptr;
  return gort::Main(argc, argv, [folder] {
    runtime::MemProfileRate = 1;  // every allocation; the default is one for each 512 KiB
    runtime::SetMutexProfileFraction(1);

    ptr<Page> book = readBook(300);
    auto* lamp = make<sync::Mutex>();
    auto* wg = make<sync::WaitGroup>();
    for (const char* who : {"Ada", "Grace"})
      pprof::Do(pprof::Labels("reader", who), [lamp, wg] {
        wg->Add(1);
        go(reader, lamp, wg);
      });
    wg->Wait();
    auto closed = make_chan<int>();
    go([closed] { closed.recv(); });

    runtime::GC();  // the heap profile is as of the last collection
    for (const char* name : {"heap", "mutex", "goroutine"}) write(name, folder);
    runtime::KeepAlive(book);
  });
}
