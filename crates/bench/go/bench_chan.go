package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Loops of Go's runtime/chan_test.go.

var chanBenchmarks = []workload{
	inParallel("BenchmarkChanNonblocking", 1, func(int) func(int) int {
		c := make(chan int)
		return func(count int) (empty int) {
			for range count {
				select {
				case <-c:
				default:
					empty++
				}
			}
			return
		}
	}),
	inParallel("BenchmarkChanUncontended", 1, func(int) func(int) int {
		return func(count int) int { return rounds(make(chan int, hundred), count) }
	}),
	inParallel("BenchmarkChanContended", 1, func(procs int) func(int) int {
		c := make(chan int, hundred*procs)
		return func(count int) int { return rounds(c, count) }
	}),
	perOp("BenchmarkChanSync", func(n, _ int) error { return chanSync(n, 0) }),
	perOp("BenchmarkChanSyncWork", func(n, _ int) error { return chanSync(n, 1000) }),
	perOp("BenchmarkChanProdCons0", func(n, procs int) error { return prodCons(n, procs, 0, 0) }),
	perOp("BenchmarkChanProdCons10", func(n, procs int) error { return prodCons(n, procs, 10, 0) }),
	perOp("BenchmarkChanProdCons100", func(n, procs int) error { return prodCons(n, procs, 100, 0) }),
	perOp("BenchmarkChanProdConsWork0", func(n, procs int) error { return prodCons(n, procs, 0, 100) }),
	perOp("BenchmarkChanProdConsWork10", func(n, procs int) error { return prodCons(n, procs, 10, 100) }),
	perOp("BenchmarkChanProdConsWork100", func(n, procs int) error { return prodCons(n, procs, 100, 100) }),
	inParallel("BenchmarkChanCreation", 1, func(int) func(int) int {
		return func(count int) (sum int) {
			for range count {
				c := make(chan int, 1)
				c <- 1
				sum += <-c
			}
			return
		}
	}),
	perOp("BenchmarkMakeChan", func(n, _ int) error {
		room := 0
		for range n {
			made = make(chan int, 8)
			room += cap(made)
		}
		return expect("room", room, 8*n)
	}),
	inParallel("BenchmarkChanSem", 1, func(procs int) func(int) int {
		c := make(chan struct{}, procs)
		return each(func() {
			c <- struct{}{}
			<-c
		})
	}),
	inParallel("BenchmarkChanClosed", 1, func(int) func(int) int {
		c := make(chan struct{})
		close(c)
		return func(count int) (closed int) {
			for range count {
				select {
				case <-c:
					closed++
				default:
				}
			}
			return
		}
	}),
	{"BenchmarkReceiveDataFromClosedChan", onAny, []int{1_000_000}, 10_000, fromClosed},
	perOp("BenchmarkChanPopular", popular),
	inParallel("BenchmarkSelectUncontended", 1, func(int) func(int) int {
		return func(count int) int {
			a, b := make(chan int, 1), make(chan int, 1)
			return toAndFro(a, b, count)
		}
	}),
	inParallel("BenchmarkSelectAsyncContended", 1, func(procs int) func(int) int {
		a, b := make(chan int, procs), make(chan int, procs)
		return func(count int) int { return toAndFro(a, b, count) }
	}),
	perOp("BenchmarkSelectSyncContended", selectSync),
	inParallel("BenchmarkSelectNonblock", 1, func(int) func(int) int {
		a, b := make(chan int), make(chan int)
		c, d := make(chan int, 1), make(chan int, 1)
		return func(count int) (refused int) {
			for range count {
				select {
				case <-a:
				default:
					refused++
				}
				select {
				case b <- 0:
				default:
				}
				select {
				case <-c:
				default:
				}
				select {
				case d <- 0:
				default:
				}
			}
			return
		}
	}),
	perOp("BenchmarkSelectProdCons", selectProdCons),
}

// Values that go into a buffer before they come out again.
const hundred = 100

// What a producer takes from the common counter at once.
const batch = 1000

var made chan int

func rounds(c chan int, count int) int {
	sum := 0
	for range count {
		for range hundred {
			c <- 1
		}
		for range hundred {
			sum += <-c
		}
	}
	return sum / hundred
}

// chanSync has two goroutines exchange values; which of them begins changes with each batch.
func chanSync(n, steps int) error {
	batches := (n/batch + 1) / 2 * 2
	var left atomic.Int64
	left.Store(int64(batches))
	c := make(chan int)
	got := parallel(2, 2, func(int) (sum int) {
		x := 1
		for {
			i := left.Add(-1)
			if i < 0 {
				return
			}
			for range batch {
				if i%2 == 0 {
					sum += <-c
					x = work(steps, x)
					c <- 1
				} else {
					c <- 1
					x = work(steps, x)
					sum += <-c
				}
				x = work(steps, x)
			}
		}
	})
	return expect("values", got, batches*batch)
}

func prodCons(n, procs, room, steps int) error {
	var left atomic.Int64
	left.Store(int64(n / batch))
	c := make(chan int, room)
	sums := make(chan int, procs)
	for range procs {
		go func() {
			x := 1
			for left.Add(-1) >= 0 {
				for range batch {
					x = work(steps, x)
					c <- 1
				}
			}
			c <- 0
		}()
		go func() {
			sum, x := 0, 1
			for v := <-c; v != 0; v = <-c {
				x = work(steps, x)
				sum += v
			}
			sums <- sum
		}()
	}
	got := 0
	for range procs {
		got += <-sums
	}
	return expect("values", got, n/batch*batch)
}

func fromClosed(c cell) (figures, error) {
	full := func() chan struct{} {
		messages := make(chan struct{}, c.n)
		for range c.n {
			messages <- struct{}{}
		}
		close(messages)
		return messages
	}
	all := make([]chan struct{}, repetitions(c)+1)
	for i := range all {
		all[i] = full()
	}
	return whole(c, c.n, func() error {
		got := 0
		for range all[0] {
			got++
		}
		all = all[1:]
		return expect("values", got, c.n)
	})
}

// popular has a thousand goroutines wait for one channel that they share and one of their own. An operation is one
// message, where Go's is one to each of them.
func popular(n, _ int) error {
	const many = 1000
	rounds := n / many
	shared := make(chan int)
	own := make([]chan int, many)
	var sum atomic.Int64
	var ended sync.WaitGroup
	for i := range own {
		own[i] = make(chan int)
		ended.Go(func() {
			for range rounds {
				select {
				case v := <-shared:
					sum.Add(int64(v))
				case v := <-own[i]:
					sum.Add(int64(v))
				}
			}
		})
	}
	for range rounds {
		for _, c := range own {
			c <- 1
		}
	}
	ended.Wait()
	return expect("values", int(sum.Load()), rounds*many)
}

// toAndFro moves a value from one channel to the other and back.
func toAndFro(a, b chan int, count int) (sum int) {
	a <- 1
	for range count {
		select {
		case v := <-a:
			sum += v
			b <- v
		case v := <-b:
			sum += v
			a <- v
		}
	}
	return
}

func selectSync(n, procs int) error {
	a, b, c, over := make(chan int), make(chan int), make(chan int), make(chan struct{})
	var feeders sync.WaitGroup
	got := parallel(procs, n, func(count int) (sum int) {
		feeders.Go(func() {
			for {
				select {
				case a <- 1:
				case b <- 1:
				case c <- 1:
				case <-over:
					return
				}
			}
		})
		for range count {
			select {
			case v := <-a:
				sum += v
			case v := <-b:
				sum += v
			case v := <-c:
				sum += v
			}
		}
		return
	})
	close(over)
	feeders.Wait()
	return expect("values", got, n)
}

var errOver = errors.New("a channel was ready that never should be")

func selectProdCons(n, procs int) error {
	var left atomic.Int64
	left.Store(int64(n / batch))
	c, over := make(chan int, 128), make(chan struct{})
	var wrong atomic.Bool
	sums := make(chan int, procs)
	for range procs {
		go func() {
			x := 1
			late := time.After(time.Hour)
			for left.Add(-1) >= 0 {
				for range batch {
					x = work(100, x)
					select {
					case c <- 1:
					case <-late:
						wrong.Store(true)
					case <-over:
						wrong.Store(true)
					}
				}
			}
			c <- 0
		}()
		go func() {
			sum, x := 0, 1
			late := time.After(time.Hour)
			for open := true; open; {
				select {
				case v := <-c:
					sum += v
					open = v != 0
				case <-late:
					wrong.Store(true)
				case <-over:
					wrong.Store(true)
				}
				x = work(100, x)
			}
			sums <- sum
		}()
	}
	got := 0
	for range procs {
		got += <-sums
	}
	if wrong.Load() {
		return errOver
	}
	return expect("values", got, n/batch*batch)
}
