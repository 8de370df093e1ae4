package socket

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
)

const (
	clientsVariable = "SOCKET_TEST_CLIENTS" // how many connections the role "clients" opens
	urlVariable     = "SOCKET_TEST_URL"     // where
)

// clientsMain opens connections of the users 0, 1, … and reads from them.
func clientsMain() error {
	n, err := strconv.Atoi(os.Getenv(clientsVariable))
	if err != nil {
		return err
	}
	var reading sync.WaitGroup
	for i := range n {
		conn, resp, err := websocket.DefaultDialer.Dial(os.Getenv(urlVariable)+"?user="+strconv.Itoa(i), http.Header{})
		if err != nil {
			return fmt.Errorf("dial %d: %w (%v)", i, err, resp)
		}
		reading.Go(func() {
			defer conn.Close()
			_, _ = io.Copy(io.Discard, conn.NetConn()) // until the server closes it
		})
	}
	fmt.Println("connected")
	reading.Wait()
	return nil
}

// BenchmarkFanOut measures what the server's process spends on a message of 100
// bytes, from the moment when it has it until the socket has it, in CPU time of
// the process and the system. The clients are in another process.
func BenchmarkFanOut(b *testing.B) {
	for _, burst := range []int{1, 8} {
		b.Run(fmt.Sprintf("writer/burst=%d", burst), func(b *testing.B) { fanOut(b, burst, true) })
		b.Run(fmt.Sprintf("directly/burst=%d", burst), func(b *testing.B) { fanOut(b, burst, false) })
	}
}

// fanOut sends bursts of messages to all of many clients, and waits for each to
// be written. writer has a goroutine write each, as to a connection that is not
// simply a socket.
func fanOut(b *testing.B, burst int, writer bool) {
	h := openClients(b, &Server{MaxQueued: 1 << 30, Handlers: Handlers{OnConnect: byQuery}}, 1000)
	if writer {
		for _, c := range h {
			c.raw = nil
		}
	}
	f := frame{opcode: websocket.TextMessage, data: bytes.Repeat([]byte("x"), 100)}
	before, messages := cpu(b), 0
	for b.Loop() {
		for _, c := range h {
			messages := make([]*prepared, burst)
			for i := range messages {
				messages[i] = prepare(f)
			}
			if err := c.post(messages...); err != nil {
				b.Fatal(err)
			}
		}
		for _, c := range h {
			for !c.idle() {
				runtime.Gosched()
			}
		}
		messages += burst * len(h)
	}
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(messages), "cpu-ns/message")
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkIdle measures what an idle connection keeps of the server's memory:
// what is alive on the heap, and the stacks. A process takes about half as much
// again from the system.
func BenchmarkIdle(b *testing.B) {
	const clients = 2000
	before := alive()
	openClients(b, &Server{Handlers: Handlers{OnConnect: byQuery}}, clients)
	for b.Loop() {
		b.ReportMetric(float64(alive()-before)/clients, "B/connection")
	}
}

// alive is what the heap and the stacks hold.
func alive() int {
	var m runtime.MemStats
	for range 2 { // what is in a pool survives one collection
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// idle tells whether everything was written.
func (c *connection) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out.frames) == 0 && !c.out.writing
}

// openClients serves as many clients, of another process, until the benchmark
// ends, and returns their connections.
func openClients(b *testing.B, s *Server, clients int) []*connection {
	b.Helper()
	rdb := redistest.Real(b).Client(b)
	s.Redis, s.Logger = rdb, quiet
	url := serve(b, s).URL
	start(b, "clients", "", urlVariable+"="+url, clientsVariable+"="+strconv.Itoa(clients))
	var all []*connection
	redistest.Eventually(b, patience, "all clients to be the hub's", func() bool {
		all = s.hub.Load().connections()
		return len(all) == clients
	})
	return all
}

// cpu is what this process has used until now.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
