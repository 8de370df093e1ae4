package socket

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket/client"
)

// audience is some users with some resuming devices each, which write down what
// they are told.
type audience struct {
	devices []*listener

	reconnects, resumed, recovered atomic.Int64
}

// listener is one resuming device.
type listener struct {
	client.Client
	user string

	mu    sync.Mutex
	heard map[string][]heard // by channel, as the ledger calls it
	ended map[string]bool    // the channels whose last message has come
	wrong error
}

// theEnd is the last message of every channel.
const theEnd = "the end"

// gather connects users until the test ends, and returns when all are connected.
func gather(t testing.TB, users, devices int, dialer *websocket.Dialer) *audience {
	t.Helper()
	a := &audience{}
	ctx, leave := context.WithCancel(context.Background())
	var listening sync.WaitGroup
	for i := range users * devices {
		d := a.newListener(userName(i/devices), dialer)
		a.devices = append(a.devices, d)
		listening.Go(func() {
			if err := d.Run(ctx); err != nil {
				t.Errorf("%s: Run: %v", d.user, err)
			}
		})
	}
	t.Cleanup(func() {
		leave()
		listening.Wait()
	})
	redistest.Eventually(t, 6*patience, "all devices to be connected", a.connected)
	return a
}

func (a *audience) connected() bool {
	return !slices.ContainsFunc(a.devices, func(d *listener) bool { return d.State() != client.Connected })
}

func (a *audience) newListener(user string, dialer *websocket.Dialer) *listener {
	d := &listener{user: user, heard: map[string][]heard{}, ended: map[string]bool{}}
	d.Client = client.Client{
		URL: "ws://fleet/?user=" + user, Dialer: dialer, Logger: quiet,
		Backoff:   client.Backoff{First: 200 * time.Millisecond, Max: 2 * time.Second},
		OnMessage: d.note,
		OnLost: func(_ context.Context, channels []string) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			for _, name := range channels {
				ch := d.channel(name)
				d.heard[ch] = append(d.heard[ch], heard{lost: true})
			}
			return nil
		},
		OnConnected: func(_ context.Context, s client.Session) {
			if s.Resumed {
				a.resumed.Add(1)
			}
			if s.Recovered {
				a.recovered.Add(1)
			}
		},
		OnDisconnected: func(context.Context, error, time.Duration) { a.reconnects.Add(1) },
	}
	return d
}

// channel returns what the ledger calls a channel of the device.
func (d *listener) channel(name string) string {
	if name == nameUser {
		return ownChannel(d.user)
	}
	return name
}

func (d *listener) note(_ context.Context, m client.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ch := d.channel(m.Channel)
	if m.String() == theEnd {
		d.ended[ch] = true
		return nil
	}
	h, err := parseHeard(m.String(), ch)
	if err != nil {
		d.wrong = err
	}
	d.heard[ch] = append(d.heard[ch], h)
	return nil
}

// over tells whether all that was sent has come, or never will.
func (d *listener) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ended[ownChannel(d.user)] && d.ended[nameBroadcast]
}

// finish sends the last messages and waits until all devices have them. Order
// makes that they then have everything that they will ever have.
func (a *audience) finish(t testing.TB, ctx context.Context) {
	t.Helper()
	said := map[string]bool{}
	for _, d := range a.devices {
		if !said[d.user] {
			said[d.user] = true
			sendText(t, ctx, To(d.user), theEnd)
		}
	}
	if err := Broadcast(ctx, theEnd); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, 6*patience, "all devices to have the last messages", func() bool {
		return !slices.ContainsFunc(a.devices, func(d *listener) bool { return !d.over() })
	})
}

// judge compares what every device has received with what was sent. Devices of
// one user that were told of no loss must have received the same.
func (a *audience) judge(t testing.TB, l ledger) (all verdict) {
	t.Helper()
	first := map[string][]heard{}
	for _, d := range a.devices {
		d.mu.Lock()
		if d.wrong != nil {
			t.Errorf("%s: %v", d.user, d.wrong)
		}
		for _, ch := range []string{ownChannel(d.user), nameBroadcast} {
			v := l.judge(ch, d.heard[ch])
			all.add(v)
			if v.wrong() {
				t.Errorf("%s received of %s: %v", d.user, ch, v)
			}
			if v.told > 0 {
				continue
			}
			if other, ok := first[ch]; ok && !slices.Equal(other, d.heard[ch]) {
				t.Errorf("devices of %s received different messages of %s", d.user, ch)
			}
			first[ch] = d.heard[ch]
		}
		d.mu.Unlock()
	}
	return all
}

func (a *audience) String() string {
	return fmt.Sprintf("%d devices, %d connections lost or failed, %d resumed, %d of them recovered",
		len(a.devices), a.reconnects.Load(), a.resumed.Load(), a.recovered.Load())
}
