// The execution tracer: requests go through a pool of workers, each a task of its own with regions, and
// the trace shows who waited for whom.
//
//   ./bazelw run //docs/examples:trace -- /tmp/trace.out
//   go tool trace /tmp/trace.out                       a page of views, for a browser
//   go tool trace -pprof=sync /tmp/trace.out >/tmp/sync.pprof && go tool pprof -top /tmp/sync.pprof
//
// -pprof=sched says how long runnable goroutines waited for a processor, -pprof=syscall how long system
// calls blocked, and `go tool trace -d` lists the events. The tool is Go 1.19's.
#include <fcntl.h>
#include <unistd.h>

#include "runtime/go.h"

using namespace gort;
namespace trace = runtime::trace;

struct Request {
  trace::Context ctx;
  trace::Task task;
  int n;
};

// What all workers share, and so wait for.
struct Cache {
  sync::Mutex mu;
  long total = 0;  // protected by mu
};

long fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

void worker(chan<Request> requests, Cache* cache, sync::WaitGroup* wg) {
  for (Request r : requests) {
    long result = 0;
    trace::WithRegion(r.ctx, "compute", [&] { result = fib(r.n); });
    trace::Region store = trace::StartRegion(r.ctx, "store");
    cache->mu.Lock();
    cache->total += result;
    time::Sleep(100 * time::Microsecond);  // with the lock held: the trace shows what that costs
    cache->mu.Unlock();
    store.End();
    trace::Logf(r.ctx, "result", "fib(%d) = %ld", r.n, result);
    r.task.End();
  }
  wg->Done();
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "trace.out";
  return gort::Main(argc, argv, [path] {
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0) panic(std::string("cannot write ") + path);
    if (any err = trace::Start(fd)) panic(err);

    auto requests = make_chan<Request>(4);
    auto* cache = make<Cache>();
    auto* wg = make<sync::WaitGroup>();
    for (int i = 0; i < 4; i++) {
      wg->Add(1);
      go(worker, requests, cache, wg);
    }
    for (int i = 0; i < 40; i++) {
      auto [ctx, task] = trace::NewTask(trace::Background(), "request");
      requests.send({ctx, task, 15 + i % 5});
    }
    requests.close();
    wg->Wait();

    trace::Stop();
    ::close(fd);
    println("total", cache->total);
  });
}
