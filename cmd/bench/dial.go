package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// dialTimeout bounds each step of opening a connection: a server that is just
// now given thousands of them takes its time.
const dialTimeout = 20 * time.Second

// dialer opens connections of which each belongs to a user.
type dialer struct {
	url      string
	first    string
	protocol string
	perUser  int
}

// writeBuffers are shared: a connection hardly ever writes.
var writeBuffers sync.Pool

// sources is how many loopback addresses connections come from. Each has
// ports for so many thousand only, and a closed connection keeps its port for
// a minute.
const sources = 200

// firstSource differs from process to process, so that one that was started
// just after another does not meet its closed connections.
var firstSource = rand.IntN(sources)

// dial opens the connection with this number.
func (d *dialer) dial(ctx context.Context, number int) (*websocket.Conn, error) {
	user := strconv.Itoa(number / d.perUser)
	source := &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+(firstSource+number)%sources))}
	ws := websocket.Dialer{
		ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &writeBuffers,
		HandshakeTimeout: dialTimeout,
		NetDialContext:   (&net.Dialer{LocalAddr: source, Timeout: dialTimeout}).DialContext,
	}
	if d.protocol != "" {
		ws.Subprotocols = []string{d.protocol}
	}
	conn, answer, err := ws.DialContext(ctx, strings.ReplaceAll(d.url, "%d", user), nil)
	if err != nil {
		if answer != nil {
			return nil, fmt.Errorf("%w: %s", err, answer.Status)
		}
		return nil, err
	}
	if err := d.begin(conn, user); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// begin speaks the first words of the protocol.
func (d *dialer) begin(conn *websocket.Conn, user string) error {
	if got := conn.Subprotocol(); got != d.protocol {
		return fmt.Errorf("asked for the subprotocol %q, and the server speaks %q", d.protocol, got)
	}
	if d.first == "" {
		return nil
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte(strings.ReplaceAll(d.first, "%d", user))); err != nil {
		return fmt.Errorf("send the first frame: %w", err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(dialTimeout)); err != nil {
		return fmt.Errorf("wait for the answer to the first frame: %w", err)
	}
	_, answer, err := conn.ReadMessage()
	if err != nil {
		return fmt.Errorf("wait for the answer to the first frame: %w", err)
	}
	if bytes.Contains(answer, []byte(`"error"`)) {
		return fmt.Errorf("the answer to the first frame is %s", answer)
	}
	return conn.SetReadDeadline(time.Time{})
}
