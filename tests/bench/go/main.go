// The cases of ../bench.cc in Go, under the same names.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
)

var (
	list   = flag.Bool("list", false, "names of the cases")
	filter = flag.String("filter", "", "only cases whose name contains `TEXT`")
	scale  = flag.Float64("scale", 1, "`F` times the usual number of operations")
)

func report(name string, n int, value float64, unit string) {
	fmt.Printf("%-24s %10d %12.1f %s\n", name, n, value, unit)
}

func selected(name string) bool {
	if *list {
		fmt.Println(name)
		return false
	}
	return strings.Contains(name, *filter)
}

func bench(name string, n int, body func(n int)) {
	if !selected(name) {
		return
	}
	n = int(float64(n) * *scale)
	if n < 1 {
		n = 1
	}
	body(n/10 + 1)
	start := time.Now()
	body(n)
	report(name, n, float64(time.Since(start).Nanoseconds())/float64(n), "ns/op")
}

func pingPong(n int) {
	a, b := make(chan int32), make(chan int32)
	go func() {
		for i := 0; i < n; i++ {
			b <- <-a
		}
	}()
	for i := 0; i < n; i++ {
		a <- int32(i)
		<-b
	}
}

func stream(n, buffer int) {
	c := make(chan int32, buffer)
	go func() {
		for i := 0; i < n; i++ {
			c <- int32(i)
		}
		close(c)
	}()
	seen := 0
	for range c {
		seen++
	}
	if seen != n {
		panic("lost")
	}
}

func selectPingPong(n int) {
	a, b, never := make(chan int32), make(chan int32), make(chan int32)
	go func() {
		for i := 0; i < n; i++ {
			var v int32
			select {
			case v = <-a:
			case <-never:
			}
			select {
			case b <- v:
			case <-never:
			}
		}
	}()
	for i := 0; i < n; i++ {
		select {
		case a <- int32(i):
		case <-never:
		}
		select {
		case <-b:
		case <-never:
		}
	}
}

func select10(n int) {
	var c [10]chan int32
	for i := range c {
		c[i] = make(chan int32, 1)
	}
	for i := 0; i < n; i++ {
		c[i%10] <- int32(i)
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		case <-c[4]:
		case <-c[5]:
		case <-c[6]:
		case <-c[7]:
		case <-c[8]:
		case <-c[9]:
		}
	}
}

func goschedAlone(n int) {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
}

func goschedTwo(n int) {
	done := make(chan int32)
	for k := 0; k < 2; k++ {
		go func() {
			for i := 0; i < n/2; i++ {
				runtime.Gosched()
			}
			done <- 1
		}()
	}
	<-done
	<-done
}

func ring(n int) {
	const nodes = 503
	first := make(chan int32)
	in := first
	for i := 1; i < nodes; i++ {
		out := make(chan int32)
		go func(in, out chan int32) {
			for v := range in {
				out <- v - 1
			}
			close(out)
		}(in, out)
		in = out
	}
	token := int32(n)
	for token > 0 {
		first <- token
		token = <-in
	}
	close(first)
}

func spawnJoin(n int) {
	const batch = 1000
	for k := 0; k < (n+batch-1)/batch; k++ {
		c := make(chan int32, batch)
		for i := 0; i < batch; i++ {
			go func() { c <- 1 }()
		}
		for i := 0; i < batch; i++ {
			<-c
		}
	}
}

//go:noinline
func grow(n int) int {
	var frame [1024]byte
	use(&frame)
	frame[0] = byte(n)
	if n == 0 {
		return int(frame[0])
	}
	return grow(n-1) + int(frame[0])
}

//go:noinline
func use(*[1024]byte) {}

func stackGrowth(n int) {
	done := make(chan int)
	for i := 0; i < n; i++ {
		go func() { done <- grow(10) }()
		<-done
	}
}

func stackGrowthDeep(n int) {
	done := make(chan int)
	for i := 0; i < n; i++ {
		go func() { done <- grow(1000) }()
		<-done
	}
}

func mutexAlone(n int) {
	mu := new(sync.Mutex)
	for i := 0; i < n; i++ {
		mu.Lock()
		mu.Unlock()
	}
}

func mutexContended(n int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for k := 0; k < 8; k++ {
		wg.Add(1)
		go func() {
			for i := 0; i < n/8; i++ {
				mu.Lock()
				mu.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
}

func nonblocking(n int) {
	c := make(chan int32)
	for i := 0; i < n; i++ {
		select {
		case <-c:
		default:
		}
	}
}

func deferCall(n int) {
	x := 0
	for i := 0; i < n; i++ {
		func() {
			defer func() { x++ }()
		}()
	}
	if x != n {
		panic("lost")
	}
}

func panicRecover(n int) {
	for i := 0; i < n; i++ {
		func() {
			defer func() { recover() }()
			panic(1)
		}()
	}
}

func sieveFilter(in, out chan int32, prime int32) {
	for v := range in {
		if v%prime != 0 {
			out <- v
		}
	}
	close(out)
}

func sieve(n int) {
	c, quit := make(chan int32), make(chan int32)
	go func() {
		defer close(c)
		for i := int32(2); ; i++ {
			select {
			case c <- i:
			case <-quit:
				return
			}
		}
	}()
	in := c
	for i := 0; i < n; i++ {
		prime := <-in
		out := make(chan int32)
		go sieveFilter(in, out, prime)
		in = out
	}
	close(quit)
	for range in {
	}
}

func timerStop(n int) {
	for i := 0; i < n; i++ {
		time.NewTimer(time.Hour).Stop()
	}
}

func residentBytes() int {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var total, pages int
	fmt.Sscan(string(text), &total, &pages)
	return pages * 4096
}

func parked() {
	if !selected("parked goroutines") {
		return
	}
	n := int(1000000 * *scale)
	c := make(chan int32)
	var wg sync.WaitGroup
	wg.Add(n)
	before := residentBytes()
	start := time.Now()
	for i := 0; i < n; i++ {
		go func() {
			<-c
			wg.Done()
		}()
	}
	runtime.Gosched()
	report("park, create", n, float64(time.Since(start).Nanoseconds())/float64(n), "ns/op")
	report("park, memory", n, float64(residentBytes()-before)/float64(n), "bytes")
	start = time.Now()
	close(c)
	wg.Wait()
	report("park, wake and exit", n, float64(time.Since(start).Nanoseconds())/float64(n), "ns/op")
}

// ---- memory ----

type small struct {
	next    *small
	a, b, c int64
}

var (
	keepSmall *small
	keepBytes []byte
	keepTiny  *int32
)

func allocSmall(n int) {
	for i := 0; i < n; i++ {
		keepSmall = new(small)
	}
}

func allocNoscan(n int) {
	for i := 0; i < n; i++ {
		keepBytes = make([]byte, 64)
	}
}

func allocTiny(n int) {
	for i := 0; i < n; i++ {
		keepTiny = new(int32)
		*keepTiny = int32(i)
	}
}

func allocLarge(n int) {
	for i := 0; i < n; i++ {
		keepBytes = make([]byte, 64<<10)
	}
}

func allocParallel(n int) {
	done := make(chan int32)
	for k := 0; k < 4; k++ {
		go func() {
			last := make([]*small, 16)
			for i := 0; i < n/4; i++ {
				last[i%16] = new(small)
			}
			done <- int32(len(last))
		}()
	}
	for k := 0; k < 4; k++ {
		<-done
	}
}

type tree struct{ left, right *tree }

func bottomUp(depth int) *tree {
	if depth <= 0 {
		return &tree{}
	}
	return &tree{bottomUp(depth - 1), bottomUp(depth - 1)}
}

func itemCheck(t *tree) int {
	if t.left == nil {
		return 1
	}
	return 1 + itemCheck(t.left) + itemCheck(t.right)
}

func binaryTrees(n int) {
	kept := bottomUp(16)
	check := 0
	for i := 0; i < n; i++ {
		check += itemCheck(bottomUp(10))
	}
	if check != n*2047 || itemCheck(kept) != 131071 {
		panic("wrong tree")
	}
}

func readMemStats(n int) {
	var m runtime.MemStats
	for i := 0; i < n; i++ {
		runtime.ReadMemStats(&m)
	}
}

func gcForced(n int) {
	for i := 0; i < n; i++ {
		runtime.GC()
	}
}

func gcGoroutines() {
	if !selected("GC, 10,000 goroutines") {
		return
	}
	n := int(100**scale) + 1
	c := make(chan int32)
	for i := 0; i < 10000; i++ {
		go func() { <-c }()
	}
	runtime.Gosched()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	paused := m.PauseTotalNs
	start := time.Now()
	for i := 0; i < n; i++ {
		runtime.GC()
	}
	report("GC, 10,000 goroutines", n, float64(time.Since(start).Nanoseconds())/float64(n), "ns/op")
	runtime.ReadMemStats(&m)
	report("GC, 10,000 gor., pauses", n, float64(m.PauseTotalNs-paused)/float64(n), "ns/op")
	close(c)
}

func gcPauses() {
	if !selected("GC pauses") {
		return
	}
	n := int(200**scale) + 1
	kept := bottomUp(19)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	paused, cycles := m.PauseTotalNs, m.NumGC
	for i := 0; i < n*100; i++ {
		bottomUp(10)
	}
	runtime.ReadMemStats(&m)
	k := m.NumGC - cycles
	value := 0.0
	if k != 0 {
		value = float64(m.PauseTotalNs-paused) / float64(k)
	}
	report("GC pauses, a cycle", int(k), value, "ns/op")
	if itemCheck(kept) == 0 {
		panic("wrong tree")
	}
}

func main() {
	flag.Parse()
	bench("ping-pong", 1000000, pingPong)
	bench("channel, unbuffered", 2000000, func(n int) { stream(n, 0) })
	bench("channel, buffer 128", 5000000, func(n int) { stream(n, 128) })
	bench("channel, empty poll", 20000000, nonblocking)
	bench("select 2, ping-pong", 500000, selectPingPong)
	bench("select 10", 2000000, select10)
	bench("Gosched alone", 5000000, goschedAlone)
	bench("Gosched of two", 5000000, goschedTwo)
	bench("ring of 503, hop", 2000000, ring)
	bench("spawn and join", 1000000, spawnJoin)
	bench("stack growth, 10 KiB", 200000, stackGrowth)
	bench("stack growth, 1 MiB", 1000, stackGrowthDeep)
	bench("Mutex alone", 20000000, mutexAlone)
	bench("Mutex of eight", 8000000, mutexContended)
	bench("defer", 10000000, deferCall)
	bench("panic and recover", 1000000, panicRecover)
	bench("sieve, a prime", 1000, sieve)
	bench("NewTimer and Stop", 1000000, timerStop)
	bench("alloc 32 B, pointers", 20000000, allocSmall)
	bench("alloc 64 B, no pointers", 20000000, allocNoscan)
	bench("alloc tiny", 50000000, allocTiny)
	bench("alloc 64 KiB", 200000, allocLarge)
	bench("alloc 32 B, 4 goroutines", 20000000, allocParallel)
	bench("binary trees, a tree", 4000, binaryTrees)
	bench("ReadMemStats", 20000, readMemStats)
	bench("GC", 500, gcForced)
	gcGoroutines()
	gcPauses()
	parked()
}
