package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// Loops of Go's time/sleep_test.go and tick_test.go. An operation of those with a number in their names is one timer
// and not all of them.

const thousand = 1000

var timeBenchmarks = []workload{
	amongTimers("BenchmarkAfterFunc1000", 1, func(count int) int {
		for done := 0; done < count; done += thousand {
			left := thousand
			over := make(chan bool)
			var next func()
			next = func() {
				if left--; left > 0 {
					time.AfterFunc(0, next)
				} else {
					over <- true
				}
			}
			time.AfterFunc(0, next)
			<-over
		}
		return count
	}),
	amongTimers("BenchmarkAfter", 1, each(func() { <-time.After(1) })),
	amongTimers("BenchmarkStop/impl=chan", 1, func(count int) (stopped int) {
		for range count {
			if time.NewTimer(time.Second).Stop() {
				stopped++
			}
		}
		return
	}),
	amongTimers("BenchmarkStop/impl=func", 1, func(count int) (stopped int) {
		for range count {
			if time.AfterFunc(time.Second, func() {}).Stop() {
				stopped++
			}
		}
		return
	}),
	amongTimers("BenchmarkSimultaneousAfterFunc1000", 1, func(count int) int {
		for done := 0; done < count; done += thousand {
			var all sync.WaitGroup
			all.Add(thousand)
			for range thousand {
				time.AfterFunc(0, all.Done)
			}
			all.Wait()
		}
		return count
	}),
	amongTimers("BenchmarkStartStop1000", 1, func(count int) (stopped int) {
		for done := 0; done < count; done += thousand {
			stopped += startStop(thousand, func(*time.Timer) {})
		}
		return
	}),
	amongTimers("BenchmarkReset/impl=chan", 1, func(count int) int {
		return resets(time.NewTimer(time.Hour), count)
	}),
	amongTimers("BenchmarkReset/impl=func", 1, func(count int) int {
		return resets(time.AfterFunc(time.Hour, func() {}), count)
	}),
	amongTimers("BenchmarkSleep1000", 1, func(count int) int {
		for done := 0; done < count; done += thousand {
			var all sync.WaitGroup
			for range thousand {
				all.Go(func() { time.Sleep(time.Nanosecond) })
			}
			all.Wait()
		}
		return count
	}),
	amongTimers("BenchmarkAdjustTimers10000", 10, func(count int) (right int) {
		for done := 0; done < count; done += 10 * thousand {
			stopped := startStop(10*thousand, func(last *time.Timer) {
				last.Reset(time.Nanosecond)
				time.Sleep(time.Microsecond)
			})
			// The last one has gone off in most cases.
			if stopped >= 10*thousand-1 {
				right += 10 * thousand
			}
		}
		return
	}),
	amongTimers("BenchmarkTicker", 1, func(count int) int {
		ticker := time.NewTicker(time.Nanosecond)
		defer ticker.Stop()
		for range count {
			<-ticker.C
		}
		return count
	}),
	amongTimers("BenchmarkTickerReset", 1, func(count int) int {
		ticker := time.NewTicker(time.Nanosecond)
		defer ticker.Stop()
		for range count {
			ticker.Reset(2 * time.Nanosecond)
		}
		return count
	}),
	amongTimers("BenchmarkTickerResetNaive", 1, func(count int) int {
		ticker := time.NewTicker(time.Nanosecond)
		for range count {
			ticker.Stop()
			ticker = time.NewTicker(2 * time.Nanosecond)
		}
		ticker.Stop()
		return count
	}),
	{"BenchmarkParallelTimerLatency", onMany, []int{200}, 10, parallelLatency},
	{"BenchmarkStaggeredTickerLatency", onMany, []int{100}, 5, staggeredLatency},
}

// Timers of an hour that each processor has beside those that are measured.
const bystanders = 1 << 15

// amongTimers is a benchmark in parallel beside many timers that never go off. The operations come in whole batches of
// so many thousands for each worker.
func amongTimers(name string, thousands int, body func(count int) int) workload {
	return workload{name, onAny, []int{0}, 0, func(c cell) (figures, error) {
		others := make([][]*time.Timer, c.procs)
		var next atomic.Int64
		parallel(c.procs, c.procs, func(int) int {
			own := make([]*time.Timer, bystanders)
			for i := range own {
				own[i] = time.AfterFunc(time.Hour, func() {})
			}
			others[next.Add(1)-1] = own
			return 0
		})
		f, err := looped(c, func(n int) error {
			step := thousands * thousand
			batches := (n + step - 1) / step
			done := parallel(c.procs, batches, func(batches int) int { return body(batches * step) })
			return expect("operations", done, batches*step)
		})
		for _, own := range others {
			for _, timer := range own {
				timer.Stop()
			}
		}
		return f, err
	}}
}

// startStop makes so many timers, hands out the last one and says how many of them it could stop.
func startStop(many int, meanwhile func(last *time.Timer)) (stopped int) {
	timers := make([]*time.Timer, many)
	for i := range timers {
		timers[i] = time.AfterFunc(time.Hour, func() {})
	}
	meanwhile(timers[many-1])
	for _, timer := range timers {
		if timer.Stop() {
			stopped++
		}
	}
	return
}

func resets(timer *time.Timer, count int) (active int) {
	defer timer.Stop()
	for range count {
		if timer.Reset(time.Hour) {
			active++
		}
	}
	return
}

// late is how much later than expected it is now, in nanoseconds.
func late(expected time.Time) float64 { return max(float64(time.Since(expected)), 0) }

// parallelLatency has timers go off on all processors but the one that made them and goes on computing; each waits for
// the others, so they must run at once.
func parallelLatency(c cell) (figures, error) {
	const delay = time.Millisecond
	timers := c.procs - 1
	warm(c.procs)
	spin(30 * time.Millisecond)
	values := make([]float64, c.n*timers)
	f, err := once(c, len(values), func() error {
		for round := range c.n {
			var fired atomic.Int64
			var ended sync.WaitGroup
			ended.Add(timers)
			for i := range timers {
				expected := time.Now().Add(delay)
				time.AfterFunc(delay, func() {
					values[round*timers+i] = late(expected)
					for fired.Add(1); int(fired.Load()) < timers; {
					}
					ended.Done()
				})
			}
			for int(fired.Load()) < timers {
			}
			ended.Wait()
			spin(time.Millisecond)
		}
		return nil
	})
	p50, p99, most := latencies(values)
	return f.instead(p50).with("p99_ns", p99).with("max_ns", most), err
}

// staggeredLatency has tickers of 3 ms at different phases, each followed by 300 us of work; nine for each processor,
// so that nine tenths of all CPU time is asked for.
func staggeredLatency(c cell) (figures, error) {
	const delay, load = 3 * time.Millisecond, 300 * time.Microsecond
	tickers := c.procs * 9
	warm(c.procs)
	values := make([]float64, c.n*tickers)
	f, err := once(c, len(values), func() error {
		var ended sync.WaitGroup
		for i := range tickers {
			spin(delay / time.Duration(c.procs))
			expected := time.Now().Add(delay)
			ticker := time.NewTicker(delay)
			ended.Go(func() {
				defer ticker.Stop()
				for k := range c.n {
					<-ticker.C
					values[i*c.n+k] = late(expected)
					expected = expected.Add(delay)
					spin(load)
				}
			})
		}
		ended.Wait()
		return nil
	})
	p50, p99, most := latencies(values)
	return f.instead(p50).with("p99_ns", p99).with("max_ns", most), err
}
