//go:build unix

package socket

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// socketOf returns the socket of a connection that is nothing but a socket, or
// nil: what is written to a TLS connection is not what is written to its socket.
func socketOf(conn net.Conn) syscall.RawConn {
	var raw syscall.RawConn
	switch conn := conn.(type) {
	case *net.TCPConn:
		raw, _ = conn.SyscallConn() // without it, everything works the other way
	case *net.UnixConn:
		raw, _ = conn.SyscallConn()
	}
	return raw
}

// readReady returns the function that reads into the buffer when the socket has
// something, and leaves the connection without a buffer when it does not.
func (in *inbound) readReady() func(fd uintptr) bool {
	return func(fd uintptr) bool {
		in.borrow()
		n, err := ignoringInterrupts(syscall.Read, int(fd), in.buffer[in.to:])
		if err == syscall.EAGAIN {
			in.waited = true
			if in.to == 0 {
				in.release()
			}
			return false // wait until it is ready
		}
		in.err = err
		switch {
		case n > 0:
			in.to += n
		case err == nil:
			in.err = io.EOF
		}
		return true
	}
}

// attempt is one write that does not wait.
type attempt struct {
	b   []byte
	n   int
	err error
	run func(fd uintptr) bool // made once, as it would have to be allocated each time
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.run = func(fd uintptr) bool {
		a.n, a.err = ignoringInterrupts(syscall.Write, int(fd), a.b)
		return true // do not wait until it is ready
	}
	return a
}}

// writeNow writes what the socket takes of b without waiting: less than all, or
// nothing, when it is full.
func writeNow(raw syscall.RawConn, b []byte) (int, error) {
	a := attempts.Get().(*attempt)
	defer attempts.Put(a)
	a.b, a.n, a.err = b, 0, nil // a socket that is closed runs nothing
	err := raw.Write(a.run)
	if err == nil {
		err = a.err
	}
	a.b = nil
	if err == syscall.EAGAIN {
		return 0, nil
	}
	return max(0, a.n), err
}

func ignoringInterrupts(call func(int, []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		if n, err := call(fd, b); err != syscall.EINTR {
			return n, err
		}
	}
}
