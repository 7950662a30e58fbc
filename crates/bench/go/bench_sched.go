package main

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Loops of Go's runtime/proc_test.go and norace_test.go.

var schedBenchmarks = append([]workload{
	perOp("BenchmarkCreateGoroutines", func(n, _ int) error { return chains(n, 1) }),
	perOp("BenchmarkCreateGoroutinesParallel", chains),
	perOp("BenchmarkCreateGoroutinesCapture", func(n, _ int) error {
		const many = 4
		wrong := 0
		for range n {
			var all sync.WaitGroup
			all.Add(many)
			for i := range many {
				go func() {
					if i >= many {
						wrong++
					}
					all.Done()
				}()
			}
			all.Wait()
		}
		return expect("goroutines out of range", wrong, 0)
	}),
	{"BenchmarkCreateGoroutinesSingle", onAny, []int{0}, 0, func(c cell) (figures, error) {
		warm(c.procs)
		return looped(c, func(n int) error {
			var all sync.WaitGroup
			all.Add(n)
			for range n {
				go func() { all.Done() }()
			}
			all.Wait()
			return nil
		})
	}},
	{"BenchmarkPingPongHog", []int{1}, []int{0}, 0, func(c cell) (figures, error) { return looped(c, pingPongHog) }},
	{"BenchmarkMatmult", onAny, []int{1_000_000}, 30_000, matmult},
	inParallel("BenchmarkSyscall", 1, declared(0)),
	inParallel("BenchmarkSyscallWork", 1, declared(100)),
	inParallel("BenchmarkSyscallExcess", 4, declared(0)),
	inParallel("BenchmarkSyscallExcessWork", 4, declared(100)),
}, wakeups()...)

// chains has so many goroutines each start the next, n in all.
func chains(n, many int) error {
	ended := make(chan int)
	var link func(left, done int)
	link = func(left, done int) {
		if left == 0 {
			ended <- done
			return
		}
		go link(left-1, done+1)
	}
	for range many {
		go link(n/many, 0)
	}
	done := 0
	for range many {
		done += <-ended
	}
	return expect("goroutines", done, n/many*many)
}

// pingPongHog is a round trip of two goroutines on one processor, beside one that looks for its end all the time.
func pingPongHog(n int) error {
	over := make(chan struct{})
	ping, pong, trips := make(chan int), make(chan int), make(chan int)
	var hog sync.WaitGroup
	hog.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
		}
	})
	go func() {
		for range n {
			pong <- <-ping + 1
		}
	}()
	go func() {
		v := 0
		for range n {
			ping <- v
			v = <-pong
		}
		trips <- v
	}()
	got := <-trips
	close(over)
	hog.Wait()
	return expect("round trips", got, n)
}

// declared is a system call that does nothing, or a little work, as the scheduler sees it.
func declared(steps int) func(int) func(int) int {
	return func(int) func(int) int {
		return func(count int) int {
			x := 1
			for range count {
				entersyscall()
				x = work(steps, x)
				exitsyscall()
			}
			return count
		}
	}
}

// matmult multiplies matrices with n multiplications in all, split down to sides of 8, in parallel but along the sums.
func matmult(c cell) (figures, error) {
	side := int(math.Round(math.Cbrt(float64(c.n))))
	a, b, product := matrix(side, 1), matrix(side, 1), matrix(side, 0)
	all := span{0, side}
	want := 0.0
	for k := range side {
		want += a[side-1][k] * b[k][0]
	}
	return whole(c, side*side*side, func() error {
		for i := range product {
			clear(product[i])
		}
		multiply(nil, a, b, product, all, all, all)
		return expect("corner", product[side-1][0], want)
	})
}

func matrix(side int, scale float64) [][]float64 {
	rows := make([][]float64, side)
	for i := range rows {
		rows[i] = make([]float64, side)
		for j := range rows[i] {
			rows[i][j] = scale * float64(i*side+j)
		}
	}
	return rows
}

type span struct{ from, to int }

func (s span) length() int { return s.to - s.from }

func (s span) halves() (span, span) {
	middle := s.from + s.length()/2
	return span{s.from, middle}, span{middle, s.to}
}

func multiply(done chan<- bool, a, b, product [][]float64, is, js, ks span) {
	const small = 8
	if is.length() >= max(js.length(), ks.length(), small) {
		below, above := is.halves()
		other := make(chan bool, 1)
		go multiply(other, a, b, product, below, js, ks)
		multiply(nil, a, b, product, above, js, ks)
		<-other
	} else if js.length() >= max(ks.length(), small) {
		below, above := js.halves()
		other := make(chan bool, 1)
		go multiply(other, a, b, product, is, below, ks)
		multiply(nil, a, b, product, is, above, ks)
		<-other
	} else if ks.length() >= small {
		below, above := ks.halves()
		multiply(nil, a, b, product, is, js, below)
		multiply(nil, a, b, product, is, js, above)
	} else {
		for i := is.from; i < is.to; i++ {
			for j := js.from; j < js.to; j++ {
				for k := ks.from; k < ks.to; k++ {
					product[i][j] += a[i][k] * b[k][j]
				}
			}
		}
	}
	if done != nil {
		done <- true
	}
}

// wakeups are two goroutines that take turns as sender and receiver of a message. The receiver is busy for the delay
// first, the sender for a little longer, so that the receiver waits if they run at once. Twice the delay for each
// operation then shows in the figure; four times, if they run one after the other.
func wakeups() (all []workload) {
	busy := map[string]func(time.Duration){
		"Spinning": spin,
		"Syscall": func(span time.Duration) {
			if span > 0 {
				length := syscall.NsecToTimespec(int64(span))
				_ = syscall.Nanosleep(&length, nil)
			}
		},
	}
	for _, kind := range []string{"Spinning", "Syscall"} {
		for _, delay := range []int{0, 1, 5, 20, 100} {
			name := fmt.Sprintf("BenchmarkWakeupParallel%s/%dus", kind, delay)
			run := func(c cell) (figures, error) {
				return looped(c, func(n int) error {
					return wakeup(n, time.Duration(delay)*time.Microsecond, busy[kind])
				})
			}
			all = append(all, workload{name, onMany, []int{0}, 0, run})
		}
	}
	return
}

func wakeup(n int, delay time.Duration, busy func(time.Duration)) error {
	const longer = 5 * time.Microsecond
	ping, pong := make(chan int), make(chan int)
	var sum atomic.Int64
	turns := func(first bool) {
		got := 0
		for range n {
			if first {
				busy(delay + longer)
				ping <- 1
			}
			busy(delay)
			if first {
				got += <-pong
			} else {
				got += <-ping
				busy(delay + longer)
				pong <- 1
			}
		}
		sum.Add(int64(got))
	}
	var both sync.WaitGroup
	both.Go(func() { turns(true) })
	both.Go(func() { turns(false) })
	both.Wait()
	return expect("messages", int(sum.Load()), 2*n)
}
