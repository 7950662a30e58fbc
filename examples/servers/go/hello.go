// net/http: `hello` to whoever asks, on a port of the system's choice, which it prints.
package main

import "net/http"

func main() {
	listener := listen()
	answer := []byte("hello")
	http.Serve(listener, http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) {
		to.Write(answer)
	}))
}
