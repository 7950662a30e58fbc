package main

import (
	"fmt"
	"slices"
	"sync"
)

// Loops of Go's sync/mutex_test.go, rwmutex_test.go, cond_test.go, waitgroup_test.go and runtime_sema_test.go.

var syncBenchmarks = slices.Concat(mutexBenchmarks, rwMutexBenchmarks, condBenchmarks, waitGroupBenchmarks,
	semaBenchmarks)

var mutexBenchmarks = []workload{
	inParallel("BenchmarkMutexUncontended", 1, func(int) func(int) int {
		return func(count int) int {
			var own struct {
				sync.Mutex
				held int
				_    [128]byte
			}
			for range count {
				own.Lock()
				own.held++
				own.Unlock()
			}
			return own.held
		}
	}),
	inParallel("BenchmarkMutex", 1, mutex(0)),
	inParallel("BenchmarkMutexSlack", 10, mutex(0)),
	inParallel("BenchmarkMutexWork", 1, mutex(100)),
	inParallel("BenchmarkMutexWorkSlack", 10, mutex(100)),
	inParallel("BenchmarkMutexNoSpin", 4, func(int) func(int) int {
		var lock sync.Mutex
		var held int
		return func(count int) int {
			c := make(chan int)
			var data [4 << 10]uint64
			for i := range count {
				if i%4 == 0 {
					lock.Lock()
					held++
					lock.Unlock()
				} else {
					touch(data[:])
					// A yield that leaves the shared queue alone.
					go func() { c <- 1 }()
					<-c
				}
			}
			return count
		}
	}),
	inParallel("BenchmarkMutexSpin", 1, func(int) func(int) int {
		var lock sync.Mutex
		var held int
		return func(count int) int {
			var data [16 << 10]uint64
			for range count {
				lock.Lock()
				held++
				lock.Unlock()
				touch(data[:])
			}
			return count
		}
	}),
}

// touch writes to every 32nd byte.
func touch(data []uint64) {
	for i := 0; i < len(data); i += 4 {
		data[i]++
	}
}

// mutex is one lock for all; the work is done without it.
func mutex(steps int) func(int) func(int) int {
	return func(int) func(int) int {
		var lock sync.Mutex
		var held int
		return func(count int) int {
			x := 1
			for range count {
				lock.Lock()
				held++
				lock.Unlock()
				x = work(steps, x)
			}
			return count
		}
	}
}

var rwMutexBenchmarks = []workload{
	inParallel("BenchmarkRWMutexUncontended", 1, func(int) func(int) int {
		return func(count int) int {
			var own struct {
				sync.RWMutex
				held int
				_    [128]byte
			}
			for range count {
				own.RLock()
				own.RLock()
				own.RUnlock()
				own.RUnlock()
				own.Lock()
				own.held++
				own.Unlock()
			}
			return own.held
		}
	}),
	inParallel("BenchmarkRWMutexWrite100", 1, rwMutex(0, 100)),
	inParallel("BenchmarkRWMutexWrite10", 1, rwMutex(0, 10)),
	inParallel("BenchmarkRWMutexWorkWrite100", 1, rwMutex(100, 100)),
	inParallel("BenchmarkRWMutexWorkWrite10", 1, rwMutex(100, 10)),
}

// rwMutex is one lock for all, taken for writing every so many times; readers work while they hold it.
func rwMutex(steps, every int) func(int) func(int) int {
	return func(int) func(int) int {
		var lock sync.RWMutex
		var written int
		return func(count int) int {
			x := 1
			for i := range count {
				if (i+1)%every == 0 {
					lock.Lock()
					written++
					lock.Unlock()
				} else {
					lock.RLock()
					x = work(steps, x)
					lock.RUnlock()
				}
			}
			return count
		}
	}
}

var condBenchmarks = func() (all []workload) {
	for _, waiters := range []int{1, 2, 4, 8, 16, 32} {
		name := fmt.Sprintf("BenchmarkCond%d", waiters)
		all = append(all, perOp(name, func(n, _ int) error { return cond(n, waiters) }))
	}
	return
}()

// cond has so many goroutines and one more meet n times: the last of them to come wakes the others.
func cond(n, waiters int) error {
	var lock sync.Mutex
	all := sync.NewCond(&lock)
	come, met := 0, 0
	var ended sync.WaitGroup
	for range waiters + 1 {
		ended.Go(func() {
			for range n {
				lock.Lock()
				if come == -1 {
					lock.Unlock()
					break
				}
				come++
				if come == waiters+1 {
					come = 0
					met++
					all.Broadcast()
				} else {
					all.Wait()
				}
				lock.Unlock()
			}
			lock.Lock()
			come = -1
			all.Broadcast()
			lock.Unlock()
		})
	}
	ended.Wait()
	if met < n/(waiters+1) {
		return fmt.Errorf("wrong result: %d meetings of %d goroutines in %d rounds", met, waiters+1, n)
	}
	return nil
}

var waitGroupBenchmarks = []workload{
	inParallel("BenchmarkWaitGroupUncontended", 1, func(int) func(int) int {
		return func(count int) int {
			var own struct {
				sync.WaitGroup
				_ [128]byte
			}
			for range count {
				own.Add(1)
				own.Done()
				own.Wait()
			}
			return count
		}
	}),
	inParallel("BenchmarkWaitGroupAddDone", 1, waitGroupAddDone(0)),
	inParallel("BenchmarkWaitGroupAddDoneWork", 1, waitGroupAddDone(100)),
	inParallel("BenchmarkWaitGroupWait", 1, waitGroupWait(0)),
	inParallel("BenchmarkWaitGroupWaitWork", 1, waitGroupWait(100)),
	inParallel("BenchmarkWaitGroupActuallyWait", 1, func(int) func(int) int {
		return each(func() {
			var one sync.WaitGroup
			one.Add(1)
			go one.Done()
			one.Wait()
		})
	}),
}

func waitGroupAddDone(steps int) func(int) func(int) int {
	return func(int) func(int) int {
		var all sync.WaitGroup
		return func(count int) int {
			x := 1
			for range count {
				all.Add(1)
				x = work(steps, x)
				all.Done()
			}
			return count
		}
	}
}

func waitGroupWait(steps int) func(int) func(int) int {
	return func(int) func(int) int {
		var all sync.WaitGroup
		return func(count int) int {
			x := 1
			for range count {
				all.Wait()
				x = work(steps, x)
			}
			return count
		}
	}
}

var semaBenchmarks = []workload{
	inParallel("BenchmarkSemaUncontended", 1, func(int) func(int) int {
		return func(count int) int {
			var own struct {
				sema uint32
				_    [128]byte
			}
			for range count {
				semrelease(&own.sema, false, 0)
				semacquire(&own.sema)
			}
			return count
		}
	}),
	perOp("BenchmarkSemaSyntNonblock", func(n, procs int) error { return sema(n, procs, false, 0) }),
	perOp("BenchmarkSemaSyntBlock", func(n, procs int) error { return sema(n, procs, true, 0) }),
	perOp("BenchmarkSemaWorkNonblock", func(n, procs int) error { return sema(n, procs, false, 100) }),
	perOp("BenchmarkSemaWorkBlock", func(n, procs int) error { return sema(n, procs, true, 100) }),
	perOp("BenchmarkUncontendedSemaphore", func(n, _ int) error { return hammer(1, n) }),
	perOp("BenchmarkContendedSemaphore", func(n, _ int) error { return hammer(2, n) }),
}

// sema gives and takes in parallel; with block, half as many tokens as there are processors are taken away meanwhile.
// Each worker leaves one token in the end.
func sema(n, procs int, block bool, steps int) error {
	var sema uint32
	taken := 0
	var taker sync.WaitGroup
	if block {
		taker.Go(func() {
			for range procs / 2 {
				semacquire(&sema)
				taken++
			}
		})
	}
	done := parallel(procs, n, func(count int) int {
		x := 1
		for range count {
			semrelease(&sema, false, 0)
			x = work(steps, x)
			semacquire(&sema)
		}
		semrelease(&sema, false, 0)
		return count
	})
	taker.Wait()
	if err := expect("tokens left", int(sema), procs-taken); err != nil {
		return err
	}
	return expect("operations", done, n)
}

// hammer takes and gives back a single token.
func hammer(workers, n int) error {
	sema := uint32(1)
	held := 0
	parallel(workers, n, each(func() {
		semacquire(&sema)
		held++
		semrelease(&sema, false, 0)
	}))
	return expect("times held", held, n)
}
