// A listener for each of the servers.
package main

import (
	"fmt"
	"net"
	"os"
)

// listen listens on a port of the system's choice, which it prints.
func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening at", listener.Addr())
	return listener
}
