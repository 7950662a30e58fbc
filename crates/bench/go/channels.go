package main

import (
	"fmt"
	"sync"
	"time"
)

// below is the sum of the numbers below n: what arrives when each is sent once.
func below(n int) int { return n * (n - 1) / 2 }

// sky starts ten children of a node that stands for size leaves, and sends the sum of their numbers to its parent.
func sky(parent chan<- int, first, size int) {
	if size == 1 {
		parent <- first
		return
	}
	mine := make(chan int)
	for i := range 10 {
		go sky(mine, first+i*size/10, size/10)
	}
	sum := 0
	for range 10 {
		sum += <-mine
	}
	parent <- sum
}

func skynet(c cell) (figures, error) {
	for size := c.n; size != 1; size /= 10 {
		if size%10 != 0 || size == 0 {
			return figures{}, fmt.Errorf("skynet takes a power of ten, not %d", c.n)
		}
	}
	return whole(c, c.n, func() error {
		top := make(chan int)
		go sky(top, 0, c.n)
		return expect("sum of the leaves", <-top, below(c.n))
	})
}

func chanPingpong(c cell) (figures, error) {
	return looped(c, func(n int) error {
		there, back := make(chan int), make(chan int)
		go func() {
			for v := range there {
				back <- v + 1
			}
			close(back)
		}()
		right := 0
		for i := range n {
			there <- i
			if <-back == i+1 {
				right++
			}
		}
		close(there)
		<-back
		return expect("round trips", right, n)
	})
}

// chanCapacity is the buffer of the two workloads that have one.
const chanCapacity = 128

func chanSpsc(c cell) (figures, error) {
	return looped(c, func(n int) error {
		messages := make(chan int, chanCapacity)
		go func() {
			for i := range n {
				messages <- i
			}
			close(messages)
		}()
		sum := 0
		for v := range messages {
			sum += v
		}
		return expect("sum of the messages", sum, below(n))
	})
}

func chanMpmc(c cell) (figures, error) {
	return looped(c, func(n int) error {
		const each = 4
		messages, sums := make(chan int, chanCapacity), make(chan int, each)
		var senders sync.WaitGroup
		for range each {
			senders.Go(func() {
				for i := range n / each {
					messages <- i
				}
			})
			go func() {
				sum := 0
				for v := range messages {
					sum += v
				}
				sums <- sum
			}()
		}
		senders.Wait()
		close(messages)
		sum := 0
		for range each {
			sum += <-sums
		}
		return expect("sum of the messages", sum, each*below(n/each))
	})
}

func select2(c cell) (figures, error) {
	return looped(c, func(n int) error {
		a, b := make(chan int), make(chan int)
		for _, feed := range []chan int{a, b} {
			go func() {
				for i := range n / 2 {
					feed <- i
				}
			}()
		}
		sum := 0
		for range n {
			select {
			case v := <-a:
				sum += v
			case v := <-b:
				sum += v
			}
		}
		return expect("sum of the messages", sum, 2*below(n/2))
	})
}

func mutexContended(c cell) (figures, error) {
	return looped(c, func(n int) error {
		const many = 8
		var lock sync.Mutex
		var all sync.WaitGroup
		count := 0
		for range many {
			all.Go(func() {
				for range n / many {
					lock.Lock()
					count++
					lock.Unlock()
				}
			})
		}
		all.Wait()
		return expect("count", count, n/many*many)
	})
}

// parkUnpark measures from the send to the receipt of a goroutine that waits, Go's only public way to park.
func parkUnpark(c cell) (figures, error) {
	values := make([]float64, 0, c.n)
	f, err := once(c, c.n, func() error {
		send, done := make(chan time.Time), make(chan bool)
		go func() {
			for at := range send {
				values = append(values, float64(time.Since(at)))
			}
			done <- true
		}()
		for range c.n {
			time.Sleep(200 * time.Microsecond)
			send <- time.Now()
		}
		close(send)
		<-done
		return expect("samples", len(values), c.n)
	})
	p50, p99, most := latencies(values)
	return f.instead(p50).with("p99_ns", p99).with("max_ns", most), err
}
