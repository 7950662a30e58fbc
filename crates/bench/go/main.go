// Command gmp-bench-go measures Go's own scheduler over the same workloads as gmp-bench: one cell a process, one line
// of JSON. It uses the standard library only. `cargo xtask bench --go PATH` builds and runs it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sort"
	"strings"
)

// cell is what this process is asked to measure.
type cell struct {
	workload string
	procs    int
	n        int
	quick    bool
	short    bool
}

// workload is one of the catalogue: its sizes (0: calibrated by time) and what runs it.
type workload struct {
	name  string
	procs []int
	sizes []int
	quick int
	run   func(cell) (figures, error)
}

var workloads = []workload{
	{"yield_2", []int{1}, []int{0}, 0, func(c cell) (figures, error) { return yields(c, 2) }},
	{"yield_1000", []int{1}, []int{0}, 0, func(c cell) (figures, error) { return yields(c, 1000) }},
	{"spawn_join", []int{1, 2}, []int{0}, 0, spawnJoin},
	{"spawn_burst", []int{1, 2}, []int{1_000_000}, 20_000, spawnBurst},
	{"spawn_tree", []int{1, 2}, []int{20}, 12, spawnTree},
	{"fib", []int{1, 2}, []int{27}, 16, fibonacci},
	{"park_unpark", []int{2}, []int{2000}, 100, parkUnpark},
	// A channel is Go's only public way to park, so the two are one.
	{"park_unpark_chan", []int{2}, []int{2000}, 100, parkUnpark},
	{"skynet", []int{1, 2}, []int{1_000_000}, 10_000, skynet},
	{"chan_pingpong", []int{1, 2}, []int{0}, 0, chanPingpong},
	{"chan_buffered_spsc", []int{1, 2}, []int{0}, 0, chanSpsc},
	{"chan_mpmc", []int{1, 2}, []int{0}, 0, chanMpmc},
	{"select_2", []int{1, 2}, []int{0}, 0, select2},
	{"mutex_contended", []int{2}, []int{0}, 0, mutexContended},
	{"mem_parked", []int{2}, []int{100_000, 1_000_000}, 5_000, memParked},
	{"sleep_many", []int{2}, []int{100_000}, 1_000, sleepMany},
	{"hog_fairness", []int{1}, []int{500}, 100, hogFairness},
	{"hog_fairness_4", []int{2}, []int{300}, 60, hogFairness4},
	{"blocking_sys", []int{2}, []int{64}, 8, blockingSys},
	// Go's compiler declares every system call, so the two are one.
	{"blocking_sys_declared", []int{2}, []int{64}, 8, blockingSys},
	{"blocking_often", []int{2}, []int{2_000}, 50, blockingOften},
	{"blocking_short", []int{1, 2}, []int{100_000}, 1_000, blockingShort},
	{"tcp_echo", []int{1, 2}, []int{200_000}, 2_000, func(c cell) (figures, error) { return tcpEcho(c, 100) }},
	{"tcp_echo_1", []int{1, 2}, []int{50_000}, 500, func(c cell) (figures, error) { return tcpEcho(c, 1) }},
	{"matmul_steal", []int{2}, []int{4096}, 128, matmulSteal},
}

// catalogue is everything, by group.
var catalogue = []struct {
	group string
	all   []workload
}{{"workloads", workloads}, {"go-benchmarks", goBenchmarks}}

// figures are a cell's answer.
type figures struct {
	n       int
	nsPerOp float64
	extra   map[string]float64
}

func main() {
	if err := dispatch(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gmp-bench-go:", err)
		os.Exit(1)
	}
}

func dispatch(arguments []string) error {
	if len(arguments) == 0 || (arguments[0] != "list" && arguments[0] != "cell") {
		return errors.New("usage: gmp-bench-go list [--quick] | cell --workload NAME --procs N [--n N] [--quick] [--short]")
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	var c cell
	flags.StringVar(&c.workload, "workload", "", "name of the workload")
	flags.IntVar(&c.procs, "procs", 1, "GOMAXPROCS")
	flags.IntVar(&c.n, "n", 0, "size")
	flags.BoolVar(&c.quick, "quick", false, "smoke run")
	flags.BoolVar(&c.short, "short", false, "fewer and shorter repetitions")
	// The same arguments go to every library; these mean nothing here.
	for _, name := range []string{"lib", "policy", "mode"} {
		flags.String(name, "", "ignored")
	}
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	if arguments[0] == "list" {
		list(c.quick)
		return nil
	}
	return measure(c)
}

func list(quick bool) {
	for _, group := range catalogue {
		for _, w := range group.all {
			sizes := w.sizes
			if quick {
				sizes = []int{w.quick}
			}
			for _, procs := range w.procs {
				for _, n := range sizes {
					fmt.Printf(`{"lib":"go","policy":"-","workload":"%s","procs":%d,"n":%d,"group":"%s"}`+"\n",
						w.name, procs, n, group.group)
				}
			}
		}
	}
}

func measure(c cell) error {
	for _, w := range slices.Concat(workloads, goBenchmarks) {
		if w.name != c.workload {
			continue
		}
		if c.n == 0 {
			c.n = w.sizes[0]
			if c.quick {
				c.n = w.quick
			}
		}
		runtime.GOMAXPROCS(c.procs)
		f, err := w.run(c)
		if err == nil {
			fmt.Println(line(c, f))
		}
		return err
	}
	return fmt.Errorf("no workload %q", c.workload)
}

func line(c cell, f figures) string {
	names := make([]string, 0, len(f.extra))
	for name := range f.extra {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%q:%s", name, number(f.extra[name]))
	}
	return fmt.Sprintf(`{"lib":"go","policy":"-","workload":"%s","procs":%d,"n":%d,"ns_per_op":%s,"extra":{%s}}`,
		c.workload, c.procs, f.n, number(f.nsPerOp), strings.Join(names, ","))
}

func number(value float64) string {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return "null"
	}
	return fmt.Sprintf("%.3f", value)
}
