package main

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func yields(c cell, many int) (figures, error) {
	return looped(c, func(n int) error {
		var done atomic.Int64
		var all sync.WaitGroup
		all.Add(many)
		for range many {
			go func() {
				for range n / many {
					runtime.Gosched()
				}
				done.Add(int64(n / many))
				all.Done()
			}()
		}
		all.Wait()
		return expect("yields", int(done.Load()), n)
	})
}

func spawnJoin(c cell) (figures, error) {
	return looped(c, func(n int) error {
		ended := 0
		for range n {
			done := make(chan int, 1)
			go func() { done <- 1 }()
			ended += <-done
		}
		return expect("goroutines joined", ended, n)
	})
}

func spawnBurst(c cell) (figures, error) {
	before := rss()
	f, err := whole(c, c.n, func() error {
		var all sync.WaitGroup
		all.Add(c.n)
		for range c.n {
			go all.Done()
		}
		all.Wait()
		return nil
	})
	return f.with("bytes_per_g", float64(peakRSS()-before)/float64(c.n)), err
}

func nodes(depth int) int {
	if depth == 0 {
		return 1
	}
	below := make(chan int, 2)
	for range 2 {
		go func() { below <- nodes(depth - 1) }()
	}
	return 1 + <-below + <-below
}

func spawnTree(c cell) (figures, error) {
	want := 2<<c.n - 1
	return whole(c, want, func() error { return expect("nodes", nodes(c.n), want) })
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	other := make(chan int, 1)
	go func() { other <- fib(n - 1) }()
	return fib(n-2) + <-other
}

func fibonacci(c cell) (figures, error) {
	a, b := 0, 1
	for range c.n {
		a, b = b, a+b
	}
	return whole(c, 2*b-1, func() error { return expect("fib", fib(c.n), a) })
}

func memParked(c cell) (figures, error) {
	before := rss()
	var parked atomic.Int64
	never := make(chan bool)
	f, err := once(c, c.n, func() error {
		for range c.n {
			go func() {
				parked.Add(1)
				<-never
			}()
		}
		for int(parked.Load()) < c.n {
			runtime.Gosched()
		}
		return expect("goroutines", runtime.NumGoroutine(), c.n+1)
	})
	growth := float64(rss()-before) / float64(c.n)
	runtime.KeepAlive(never)
	return f.with("bytes_per_g", growth).with("maps", float64(mappings())), err
}

func splitmix64(i uint64) uint64 {
	z := (i + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// calls is the number of sleeps of a sleeper, and of blocking calls of a caller.
const calls = 10

func sleepMany(c cell) (figures, error) {
	late := make([]float64, c.n*calls)
	f, err := once(c, len(late), func() error {
		var all sync.WaitGroup
		all.Add(c.n)
		for i := range c.n {
			go func() {
				for k := range calls {
					span := time.Duration(1+splitmix64(uint64(i*calls+k))%50) * time.Millisecond
					start := time.Now()
					time.Sleep(span)
					late[i*calls+k] = float64(time.Since(start) - span)
				}
				all.Done()
			}()
		}
		all.Wait()
		return nil
	})
	p50, p99, _ := latencies(late)
	return f.instead(f.extra["cpu_ns_per_op"]).with("p50_ns", p50).with("p99_ns", p99), err
}

// ticker ticks each millisecond until over, once at least; the gaps between the ticks.
func ticker(over *atomic.Bool, last time.Time) []float64 {
	var gaps []float64
	for {
		time.Sleep(time.Millisecond)
		now := time.Now()
		gaps = append(gaps, float64(now.Sub(last)))
		last = now
		if over.Load() {
			return gaps
		}
	}
}

func hogFairness(c cell) (figures, error) { return besideHogs(c, 1) }

func hogFairness4(c cell) (figures, error) { return besideHogs(c, 4) }

func besideHogs(c cell, hogs int) (figures, error) {
	var p50, p99, most float64
	f, err := once(c, 1, func() error {
		var over atomic.Bool
		gaps, done := make(chan []float64), make(chan bool)
		start := time.Now()
		go func() { gaps <- ticker(&over, start) }()
		time.Sleep(10 * time.Millisecond)
		for range hogs {
			go func() {
				x := uint64(1)
				for end := time.Now().Add(time.Duration(c.n) * time.Millisecond); time.Now().Before(end); {
					for range 1000 {
						x *= 3
					}
				}
				if x == 0 {
					panic("a power of three is odd")
				}
				done <- true
			}()
		}
		for range hogs {
			<-done
		}
		over.Store(true)
		p50, p99, most = latencies(<-gaps)
		return nil
	})
	return f.instead(most).with("p50_ns", p50).with("p99_ns", p99), err
}

func blockingSys(c cell) (figures, error) {
	var p99 float64
	f, err := once(c, 1, func() error {
		var over atomic.Bool
		var ended atomic.Int64
		gaps := make(chan []float64)
		start := time.Now()
		go func() { gaps <- ticker(&over, start) }()
		var all sync.WaitGroup
		all.Add(c.n)
		for range c.n {
			go func() {
				for range calls {
					span := syscall.NsecToTimespec(int64(10 * time.Millisecond))
					_ = syscall.Nanosleep(&span, nil)
					ended.Add(1)
				}
				all.Done()
			}()
		}
		all.Wait()
		over.Store(true)
		_, p99, _ = latencies(<-gaps)
		return expect("blocking calls", int(ended.Load()), c.n*calls)
	})
	return f.with("p99_ns", p99), err
}

func blockingOften(c cell) (figures, error) {
	const callers = 16
	return once(c, callers*c.n, func() error {
		var ended atomic.Int64
		var all sync.WaitGroup
		all.Add(callers)
		for range callers {
			go func() {
				for range c.n {
					span := syscall.NsecToTimespec(int64(100 * time.Microsecond))
					_ = syscall.Nanosleep(&span, nil)
					ended.Add(1)
				}
				all.Done()
			}()
		}
		all.Wait()
		return expect("blocking calls", int(ended.Load()), callers*c.n)
	})
}

func piece(i uint64) uint64 {
	x := i | 1<<63
	for range 6000 << min(bits.TrailingZeros64(splitmix64(i)), 11) {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func matmulSteal(c cell) (figures, error) {
	start := time.Now()
	want := uint64(0)
	for i := range c.n {
		want += piece(uint64(i))
	}
	serial := time.Since(start)
	f, err := whole(c, c.n, func() error {
		var sum atomic.Uint64
		var all sync.WaitGroup
		all.Add(c.n)
		for i := range c.n {
			go func() {
				sum.Add(piece(uint64(i)))
				all.Done()
			}()
		}
		all.Wait()
		return expect("sum of the pieces", sum.Load(), want)
	})
	wall := f.nsPerOp * float64(c.n)
	return f.with("efficiency", float64(serial)/float64(c.procs)/wall), err
}
