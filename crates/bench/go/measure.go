package main

import (
	"bytes"
	"fmt"
	"os"
	"sort"
	"strconv"
	"syscall"
	"time"
)

// One repetition of a calibrated workload lasts about this long.
const repetition = 400 * time.Millisecond

// The same where each process is to be short.
const shortRepetition = 100 * time.Millisecond

// The same for a smoke run.
const quickRepetition = 10 * time.Millisecond

func repetitions(c cell) int {
	if c.quick || c.short {
		return 2
	}
	return 5
}

// sample is what one repetition cost.
type sample struct{ wall, cpu time.Duration }

func take(run func() error) (sample, error) {
	cpu, start := cpuTime(), time.Now()
	err := run()
	return sample{time.Since(start), cpuTime() - cpu}, err
}

// looped times a workload that can be made as long as one likes: run(n) does n operations.
func looped(c cell, run func(n int) error) (figures, error) {
	n := c.n
	if n == 0 {
		target := repetition
		switch {
		case c.quick:
			target = quickRepetition
		case c.short:
			target = shortRepetition
		}
		for n = 1000; ; n *= 2 {
			s, err := take(func() error { return run(n) })
			if err != nil {
				return figures{}, err
			}
			if s.wall*8 >= target {
				n = max(int(float64(n)*float64(target)/float64(s.wall))/1000, 1) * 1000
				break
			}
		}
	}
	return repeat(c, n, n, func() error { return run(n) })
}

// whole times a workload of fixed size that counts as ops operations, after one run to warm up.
func whole(c cell, ops int, run func() error) (figures, error) {
	if err := run(); err != nil {
		return figures{}, err
	}
	return repeat(c, c.n, ops, run)
}

// once times a single run.
func once(c cell, ops int, run func() error) (figures, error) {
	s, err := take(run)
	return summary(c.n, ops, []sample{s}), err
}

func repeat(c cell, n, ops int, run func() error) (figures, error) {
	var samples []sample
	for range repetitions(c) {
		s, err := take(run)
		if err != nil {
			return figures{}, err
		}
		samples = append(samples, s)
	}
	return summary(n, ops, samples), nil
}

func summary(n, ops int, samples []sample) figures {
	var wall, cpu []float64
	for _, s := range samples {
		wall = append(wall, float64(s.wall)/float64(ops))
		cpu = append(cpu, float64(s.cpu)/float64(ops))
	}
	sort.Float64s(wall)
	sort.Float64s(cpu)
	return figures{n, quantile(wall, 0.5), map[string]float64{
		"min":           wall[0],
		"max":           wall[len(wall)-1],
		"cpu_ns_per_op": quantile(cpu, 0.5),
		"maxrss_mb":     float64(peakRSS()) / (1 << 20),
	}}
}

// quantile is the nearest rank in sorted values.
func quantile(sorted []float64, q float64) float64 {
	rank := int(float64(len(sorted))*q + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// latencies sorts values and gives the median, the 99th percentile and the largest.
func latencies(values []float64) (p50, p99, most float64) {
	sort.Float64s(values)
	return quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)
}

func (f figures) with(name string, value float64) figures {
	f.extra[name] = value
	return f
}

// instead makes another figure than the wall time the one that counts; its spread is unknown.
func (f figures) instead(value float64) figures {
	delete(f.extra, "min")
	delete(f.extra, "max")
	f.nsPerOp = value
	return f
}

func expect[T comparable](what string, got, want T) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("wrong result: %s is %v, should be %v", what, got, want)
}

func usage() syscall.Rusage {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return usage
}

func cpuTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS is the most memory that was ever resident, in bytes. Maxrss of getrusage would be at least what the process had
// at its peak that started this one.
func peakRSS() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(status) {
		if rest, found := bytes.CutPrefix(line, []byte("VmHWM:")); found {
			kib, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return kib * 1024
		}
	}
	return 0
}

func rss() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(statm)
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

func mappings() int {
	maps, _ := os.ReadFile("/proc/self/maps")
	return bytes.Count(maps, []byte("\n"))
}
