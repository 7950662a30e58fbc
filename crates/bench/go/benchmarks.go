package main

import (
	"slices"
	"sync"
	"time"
)

// The group go-benchmarks: the loops of Go's own benchmarks, each under Go's name and, where nothing else is said, with
// Go's notion of one operation. They are here, and not run from Go's tree, so that they are timed as everything else is, and so that the
// same loops can be written on gmp beside them. One file a family.

var goBenchmarks = slices.Concat(chanBenchmarks, syncBenchmarks, timeBenchmarks, schedBenchmarks)

var (
	onAny  = []int{1, 2}
	onMany = []int{2}
)

// perOp is a benchmark whose loop takes any number of operations.
func perOp(name string, loop func(n, procs int) error) workload {
	return workload{name, onAny, []int{0}, 0, func(c cell) (figures, error) {
		return looped(c, func(n int) error { return loop(n, c.procs) })
	}}
}

// parallel shares n operations among workers and adds what they return.
func parallel(workers, n int, body func(count int) int) int {
	results := make([]int, workers)
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			count := n / workers
			if i < n%workers {
				count++
			}
			results[i] = body(count)
		})
	}
	all.Wait()
	sum := 0
	for _, result := range results {
		sum += result
	}
	return sum
}

// inParallel is a benchmark with excess goroutines for each processor that share the operations; setup makes what they
// share. Each operation adds one to what body returns.
func inParallel(name string, excess int, setup func(procs int) func(count int) int) workload {
	return perOp(name, func(n, procs int) error {
		return expect("operations", parallel(procs*excess, n, setup(procs)), n)
	})
}

// each makes a body out of one operation.
func each(op func()) func(count int) int {
	return func(count int) int {
		for range count {
			op()
		}
		return count
	}
}

// work takes some 4 cycles a step, in every language: each step needs the one before, and no compiler makes one of two.
//
//go:noinline
func work(steps, x int) int {
	y := uint64(x)
	for range steps {
		y = y*6364136223846793005 ^ y>>32
	}
	return int(y)
}

// spin burns CPU for so long.
func spin(span time.Duration) {
	for start := time.Now(); time.Since(start) < span; {
	}
}

// warm has all processors run before a benchmark begins.
func warm(procs int) {
	parallel(procs, procs, each(func() { spin(time.Millisecond) }))
}
