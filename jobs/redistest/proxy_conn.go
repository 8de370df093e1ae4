package redistest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// proxyConn is one client's connection and the one made for it to Redis.
type proxyConn struct {
	proxy          *Proxy
	client, server net.Conn
	cutting        atomic.Bool
	once           sync.Once
	done           chan struct{} // closed with the connections
}

func (c *proxyConn) close() {
	c.once.Do(func() {
		close(c.done)
		c.client.Close()
		c.server.Close()
	})
}

func (c *proxyConn) run() {
	defer c.close()
	requests := make(chan []byte, 1024)
	var running sync.WaitGroup
	// Reading goes on while a request is held, so as to notice that the client
	// went away.
	running.Go(func() { c.readRequests(requests) })
	running.Go(func() { c.forward(requests) })
	running.Go(c.passReplies)
	running.Wait()
}

func (c *proxyConn) readRequests(requests chan<- []byte) {
	defer c.close()
	defer close(requests)
	r := bufio.NewReader(c.client)
	for {
		request, err := readCommand(r)
		if err != nil {
			return
		}
		select {
		case requests <- request:
		case <-c.done:
			return
		}
	}
}

func (c *proxyConn) forward(requests <-chan []byte) {
	defer c.close()
	for request := range requests {
		if !c.proxy.wait(request, c.done) {
			return
		}
		if c.proxy.cutAfter(request) {
			c.cutting.Store(true)
		}
		if _, err := c.server.Write(request); err != nil {
			return
		}
	}
}

func (c *proxyConn) passReplies() {
	defer c.close()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(buf)
		if err != nil {
			return
		}
		if c.cutting.Load() {
			c.discardReplies(buf)
			return
		}
		if _, err := c.client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// discardReplies reads until Redis has nothing more to say, so that the rest
// of a pipeline is carried out too before the connection is closed.
func (c *proxyConn) discardReplies(buf []byte) {
	for {
		c.server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := c.server.Read(buf); err != nil {
			return
		}
	}
}

// readCommand reads one command, an array of bulk strings, as it came.
func readCommand(r *bufio.Reader) ([]byte, error) {
	var command bytes.Buffer
	args, err := readHeader(r, &command, '*')
	if err != nil {
		return nil, err
	}
	for range args {
		size, err := readHeader(r, &command, '$')
		if err != nil {
			return nil, err
		}
		if _, err := io.CopyN(&command, r, int64(size)+2); err != nil {
			return nil, err
		}
	}
	return command.Bytes(), nil
}

func readHeader(r *bufio.Reader, command *bytes.Buffer, kind byte) (int, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	command.Write(line)
	if len(line) < 4 || line[0] != kind {
		return 0, io.ErrUnexpectedEOF
	}
	return strconv.Atoi(string(line[1 : len(line)-2]))
}
