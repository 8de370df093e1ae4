package socket

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// resumer is a client's end of a connection that speaks Protocol.
type resumer struct{ *device }

// hello is the server's first frame.
type hello struct {
	Connected *connected `json:"connected"`
}

func dialResumer(t testing.TB, url string) resumer {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{Protocol}, HandshakeTimeout: patience}
	conn, resp, err := dialer.Dial(url, nil)
	if err != nil {
		t.Fatalf("dial %s: %v (%v)", url, err, resp)
	}
	if conn.Subprotocol() != Protocol {
		t.Fatalf("the server chose the protocol %q", conn.Subprotocol())
	}
	t.Cleanup(func() { conn.Close() })
	return resumer{&device{conn, t}}
}

// connect makes the connect request, with positions, and returns the reply.
func (r resumer) connect(at map[string]string) connected {
	r.t.Helper()
	frame, err := json.Marshal(map[string]any{"connect": map[string]any{"at": at}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.say(string(frame))
	return r.connected()
}

func (r resumer) connected() connected {
	r.t.Helper()
	var h hello
	if text := r.nextFrame(); json.Unmarshal([]byte(text), &h) != nil || h.Connected == nil {
		r.t.Fatalf("received %q, want the connected frame", text)
	}
	return *h.Connected
}

// nextFrame returns the next frame that is no heartbeat.
func (r resumer) nextFrame() string {
	r.t.Helper()
	for {
		if text := r.next(); text != "{}" {
			return text
		}
		r.say("{}")
	}
}

// received is a message of a channel, or what else the server says.
type received struct {
	At     string          `json:"at"`
	On     string          `json:"on"`
	Ack    string          `json:"ack"`
	ID     uint64          `json:"id"`
	Text   *string         `json:"text"`
	Data   json.RawMessage `json:"data"`
	Error  string          `json:"error"`
	Missed *string         `json:"missed"`
	Joined string          `json:"joined"`
	Left   string          `json:"left"`
}

func (r resumer) receive() received {
	r.t.Helper()
	text := r.nextFrame()
	header, _, _ := strings.Cut(text, "\n")
	var m received
	if err := json.Unmarshal([]byte(header), &m); err != nil {
		r.t.Fatalf("received %q: %v", text, err)
	}
	return m
}

// expectText receives a text on a channel and returns its position.
func (r resumer) expectText(on, text string) string {
	r.t.Helper()
	m := r.receive()
	if m.Text == nil || *m.Text != text || m.On != on {
		r.t.Fatalf("received %+v, want %q on %q", m, text, on)
	}
	return m.At
}
