package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// defaultDialer is for clients without a Dialer. Its pool makes that only those
// that write hold a buffer to write with.
var defaultDialer = &websocket.Dialer{
	Proxy:           http.ProxyFromEnvironment,
	ReadBufferSize:  1 << 10,
	WriteBufferSize: 4 << 10,
	WriteBufferPool: new(sync.Pool),
}

// endpoint returns a URL as the dialer takes it. It finds out before the first
// attempt that none can succeed.
func endpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("socket client: URL: %w", err)
	}
	switch u.Scheme {
	case "ws", "wss":
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	default:
		return nil, fmt.Errorf("socket client: URL %q is not one of ws, wss, http or https", raw)
	}
	if u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("socket client: URL %q has no host, or a user", u.Redacted())
	}
	u.Fragment = ""
	return u, nil
}

// idleConn is a connection whose reads fail when nothing arrives for so long, or too
// much before the WebSocket is open. Only the reading goroutine uses its fields.
type idleConn struct {
	net.Conn
	idle    time.Duration // 0: as long as it takes
	left    int           // bytes that the handshake may still take
	opening bool          // the handshake is not over
}

func (c *idleConn) Read(p []byte) (int, error) {
	if c.idle > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.idle)); err != nil {
			return 0, err
		}
	}
	if !c.opening {
		return c.Conn.Read(p)
	}
	if c.left == 0 {
		return 0, errHandshake
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// dial opens a WebSocket. Until it is released, the connection is closed when ctx
// ends, which is more than the dialer does, and covers what follows on it.
func (r *run) dial(ctx context.Context) (l *link, release func(), err error) {
	dialer := defaultDialer
	if r.Dialer != nil {
		dialer = r.Dialer
	}
	d := *dialer
	d.Subprotocols = []string{protocol}
	l, release = new(link), func() {}
	type dialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)
	watched := func(dial dialFunc) dialFunc {
		return func(dialCtx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(dialCtx, network, addr)
			if err != nil {
				return nil, err
			}
			l.conn = &idleConn{Conn: conn, opening: true, left: maxHandshake}
			release = whenDone(ctx, func() { _ = l.conn.Close() })
			return l.conn, nil
		}
	}
	if d.NetDialTLSContext != nil {
		d.NetDialTLSContext = watched(d.NetDialTLSContext)
	}
	switch {
	case d.NetDialContext != nil:
		d.NetDialContext = watched(d.NetDialContext)
	case d.NetDial != nil:
		plain := d.NetDial
		d.NetDialContext = watched(func(ctx context.Context, network, addr string) (net.Conn, error) {
			return r.dialPlain(ctx, plain, network, addr)
		})
	default:
		d.NetDialContext = watched(new(net.Dialer).DialContext)
	}
	ws, response, err := d.DialContext(ctx, r.endpoint.String(), r.Header)
	if err != nil {
		release()
		switch {
		case ctx.Err() != nil: // which closed the connection
			err = fmt.Errorf("%w: %w", ctx.Err(), err)
		case l.conn != nil && l.conn.left == 0 && !errors.Is(err, errHandshake): // it was cut off in a line
			err = fmt.Errorf("%w: %w", errHandshake, err)
		}
		return nil, nil, refusal(response, err)
	}
	if ws.Subprotocol() != protocol {
		release()
		_ = ws.Close() // nothing is to be done about an error
		return nil, nil, ErrNoProtocol
	}
	ws.SetReadLimit(positive(r.MaxMessage, DefaultMaxMessage))
	l.conn.opening = false
	l.ws = ws
	return l, release, nil
}

// busy is a refusal that comes with a time at which to come back.
type busy struct {
	error
	least time.Duration
}

func (b busy) Unwrap() error { return b.error }

// refusal returns the error of an attempt to open a WebSocket.
func refusal(response *http.Response, err error) error {
	if response == nil || !errors.Is(err, websocket.ErrBadHandshake) {
		return fmt.Errorf("socket client: connect: %w", err)
	}
	var body struct {
		Error string `json:"error"`
	}
	text, _ := io.ReadAll(response.Body) // what the dialer has kept of it, in memory
	_ = json.Unmarshal(text, &body)      // or there is no reason
	refused := &HTTPError{Status: response.StatusCode, Reason: body.Error}
	var least time.Duration
	if refused.Status == http.StatusTooManyRequests {
		least = limitWait
	}
	if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 31); err == nil {
		least = max(least, time.Duration(seconds)*time.Second)
	}
	return busy{refused, least}
}
