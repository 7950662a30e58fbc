package main

import (
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// connections is the number of connections of a run, as many as redis-benchmark holds by default.
const connections = 50

// blockingShort serves 50 connections by goroutines that read and answer in raw system calls, which Go's compiler
// declares; the client sits on a thread of its own and keeps one request under way on each connection.
func blockingShort(c cell) (figures, error) {
	each := max(c.n/connections, 1)
	var waits []float64
	f, err := once(c, each*connections, func() error {
		var ours, theirs [connections]int
		for i := range connections {
			pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			ours[i], theirs[i] = pair[0], pair[1]
		}
		var answered atomic.Int64
		var all sync.WaitGroup
		all.Add(connections)
		for _, fd := range theirs {
			go func() {
				answered.Add(serve(fd))
				all.Done()
			}()
		}
		type result struct {
			waits []float64
			err   error
		}
		client := make(chan result)
		go func() {
			runtime.LockOSThread()
			waits, err := drive(ours[:], each)
			client <- result{waits, err}
		}()
		r := <-client
		if r.err != nil {
			return r.err
		}
		waits = r.waits
		all.Wait()
		for _, fd := range ours {
			_ = syscall.Close(fd)
		}
		return expect("requests answered", int(answered.Load()), each*connections)
	})
	if err != nil {
		return f, err
	}
	p50, p99, most := latencies(waits)
	return f.with("p50_ns", p50).with("p99_ns", p99).with("max_ns", most), nil
}

// serve answers the requests of one connection until its end: each number comes back plus one.
func serve(fd int) (answered int64) {
	defer syscall.Close(fd)
	var message [8]byte
	for {
		n, err := syscall.Read(fd, message[:])
		if err == syscall.EINTR {
			continue
		}
		if n != len(message) || err != nil {
			return answered
		}
		binary.NativeEndian.PutUint64(message[:], binary.NativeEndian.Uint64(message[:])+1)
		if _, err := syscall.Write(fd, message[:]); err == nil {
			answered++
		}
	}
}

type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

// pollIn is POLLIN of poll(2).
const pollIn = 1

// drive sends each requests over each connection, one at a time; how many nanoseconds each answer took.
func drive(fds []int, each int) ([]float64, error) {
	waits := make([]float64, 0, len(fds)*each)
	sent, requests := make([]time.Time, len(fds)), make([]uint64, len(fds))
	ready := make([]pollFD, len(fds))
	var message [8]byte
	send := func(i int) error {
		sent[i] = time.Now()
		binary.NativeEndian.PutUint64(message[:], requests[i])
		_, err := syscall.Write(fds[i], message[:])
		return err
	}
	for i, fd := range fds {
		ready[i] = pollFD{int32(fd), pollIn, 0}
		if err := send(i); err != nil {
			return nil, err
		}
	}
	for len(waits) < len(fds)*each {
		_, _, errno := syscall.Syscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&ready[0])), uintptr(len(ready)), ^uintptr(0))
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 {
			return nil, errno
		}
		for i, fd := range fds {
			if ready[i].revents == 0 {
				continue
			}
			if _, err := syscall.Read(fd, message[:]); err != nil {
				return nil, err
			}
			waits = append(waits, float64(time.Since(sent[i])))
			requests[i]++
			if err := expect("answer", binary.NativeEndian.Uint64(message[:]), requests[i]); err != nil {
				return nil, err
			}
			if int(requests[i]) == each {
				// The server reads the end, and poll leaves out what is negative.
				ready[i].fd = -1
				_ = syscall.Shutdown(fd, syscall.SHUT_RDWR)
			} else if err := send(i); err != nil {
				return nil, err
			}
		}
	}
	return waits, nil
}
