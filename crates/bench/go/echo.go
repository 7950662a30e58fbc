package main

import (
	"io"
	"net"
	"time"
)

// size is that of a message.
const size = 64

// tcpEcho sends messages there and back over TCP connections on loopback: a goroutine for each side of each, both Go's.
func tcpEcho(c cell, connections int) (figures, error) {
	each := max(c.n/connections, 1)
	var waits []float64
	f, err := once(c, each*connections, func() error {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer listener.Close()
		type result struct {
			waits []float64
			err   error
		}
		clients := make(chan result, connections)
		for range connections {
			go func() {
				waits, err := echoClient(listener.Addr().String(), each)
				clients <- result{waits, err}
			}()
		}
		for range connections {
			stream, err := listener.Accept()
			if err != nil {
				return err
			}
			go echoServe(stream)
		}
		for range connections {
			r := <-clients
			if r.err != nil {
				return r.err
			}
			waits = append(waits, r.waits...)
		}
		return expect("messages that came back", len(waits), each*connections)
	})
	if err != nil {
		return f, err
	}
	p50, p99, most := latencies(waits)
	return f.with("p50_ns", p50).with("p99_ns", p99).with("max_ns", most), nil
}

// echoClient sends messages one at a time; how many nanoseconds each took. Go sets TCP_NODELAY by itself.
func echoClient(address string, messages int) ([]float64, error) {
	stream, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var message [size]byte
	waits := make([]float64, 0, messages)
	for range messages {
		sent := time.Now()
		if _, err := stream.Write(message[:]); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(stream, message[:]); err != nil {
			return nil, err
		}
		waits = append(waits, float64(time.Since(sent)))
	}
	return waits, nil
}

// echoServe sends back what comes, until the end.
func echoServe(stream net.Conn) {
	defer stream.Close()
	var buf [4096]byte
	for {
		n, err := stream.Read(buf[:])
		if err != nil {
			return
		}
		if _, err := stream.Write(buf[:n]); err != nil {
			return
		}
	}
}
