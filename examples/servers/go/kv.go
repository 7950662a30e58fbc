// The key-value server of gmp's example kv_server, step for step, in Go.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

const most = 64 << 20

type store struct {
	sync.Mutex
	values map[string][]byte
}

var errBadRequest = errors.New("bad request")

func main() {
	listener := listen()
	kept := &store{values: map[string][]byte{}}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go talk(connection, kept)
	}
}

func talk(connection net.Conn, kept *store) {
	defer connection.Close()
	requests, answers := bufio.NewReaderSize(connection, 8192), bufio.NewWriterSize(connection, 8192)
	for {
		words, err := readCommand(requests)
		if err != nil {
			return
		}
		answer(words, kept, answers)
		if requests.Buffered() == 0 && answers.Flush() != nil {
			return
		}
	}
}

func readCommand(requests *bufio.Reader) ([][]byte, error) {
	line, err := requests.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '*' {
		return bytes.Split(bytes.Clone(line), []byte(" ")), nil
	}
	count, err := number(line[1:])
	if err != nil {
		return nil, err
	}
	words := make([][]byte, 0, count)
	for range count {
		word, err := readWord(requests)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
	}
	return words, nil
}

func readWord(requests *bufio.Reader) ([]byte, error) {
	line, err := requests.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '$' {
		return nil, errBadRequest
	}
	length, err := number(line[1:])
	if err != nil {
		return nil, err
	}
	word := make([]byte, length)
	if _, err := io.ReadFull(requests, word); err != nil {
		return nil, err
	}
	_, err = requests.Discard(2)
	return word, err
}

func number(digits []byte) (int, error) {
	n, err := strconv.Atoi(string(digits))
	if err != nil || n < 0 || n > most {
		return 0, errBadRequest
	}
	return n, nil
}

func answer(words [][]byte, kept *store, to *bufio.Writer) {
	name := ""
	if len(words) > 0 {
		name = string(bytes.ToUpper(words[0]))
	}
	switch {
	case name == "PING":
		to.WriteString("+PONG\r\n")
	case name == "SET" && len(words) >= 3:
		kept.Lock()
		kept.values[string(words[1])] = words[2]
		kept.Unlock()
		to.WriteString("+OK\r\n")
	case name == "GET" && len(words) == 2:
		kept.Lock()
		value, found := kept.values[string(words[1])]
		kept.Unlock()
		if !found {
			to.WriteString("$-1\r\n")
			return
		}
		fmt.Fprintf(to, "$%d\r\n", len(value))
		to.Write(value)
		to.WriteString("\r\n")
	case name == "CONFIG" || name == "COMMAND":
		to.WriteString("*0\r\n")
	default:
		to.WriteString("-ERR unknown command or wrong number of arguments\r\n")
	}
}
