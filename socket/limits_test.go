package socket

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// try connects and returns nil and the answer when it is refused.
func try(t *testing.T, url string) (*device, *http.Response) {
	t.Helper()
	conn, res, err := websocket.DefaultDialer.Dial(url, nil)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
		return &device{conn, t}, res
	}
	if res == nil {
		t.Errorf("dial %s: %v", url, err)
		res = &http.Response{}
	}
	return nil, res
}

// tryMany has n clients connect at once, to the URLs by turns. It returns those
// who may and how many were refused with the status; any other is a failure.
func tryMany(t *testing.T, n, status int, urls ...string) (in []*device, refused int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			d, res := try(t, urls[i%len(urls)])
			mu.Lock()
			defer mu.Unlock()
			switch {
			case d != nil:
				in = append(in, d)
			case res.StatusCode != status || res.Header.Get("Retry-After") == "":
				t.Errorf("refused with %d, Retry-After %q; want %d", res.StatusCode, res.Header.Get("Retry-After"), status)
			default:
				refused++
			}
		})
	}
	all.Wait()
	return in, refused
}

func TestAServerTakesMaxConnections(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const most = 5
		s := serve(t, &Server{Redis: rdb, MaxConnections: most, Handlers: Handlers{OnConnect: func(ctx context.Context, r *http.Request) (*User, error) {
			if r.URL.Query().Has("no") {
				return nil, errors.New("no")
			}
			return Anonymous, nil
		}}})
		for range 2 * most { // who does not get in takes no place
			if d, res := try(t, s.URL+"?no"); d != nil || res.StatusCode != http.StatusUnauthorized {
				t.Fatalf("answered with %d", res.StatusCode)
			}
			if res, err := http.Get("http" + s.URL[2:]); err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusUpgradeRequired {
				t.Fatalf("answered with %v, %v", res, err)
			}
		}
		in, _ := tryMany(t, 4*most, http.StatusServiceUnavailable, s.URL)
		if len(in) != most {
			t.Fatalf("%d connections, want %d", len(in), most)
		}
		in[0].Close()
		redistest.Eventually(t, patience, "a place", func() bool { d, _ := try(t, s.URL); return d != nil })
		if d, _ := try(t, s.URL); d != nil {
			t.Error("one too many got in")
		}
	})
}

func TestAUserHasMaxPerUserOnAllServers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const most = 3
		begin := func() *running {
			return serve(t, &Server{Redis: rdb, MaxPerUser: most, Handlers: Handlers{OnConnect: byQuery}})
		}
		one, two := begin(), begin()
		a, b := one.URL+"?user=ada", two.URL+"?user=ada"
		counted := func() (n int) {
			for _, count := range directoryOf(t, rdb, "ada") {
				c, _ := strconv.Atoi(count)
				n += c
			}
			return n
		}
		for range 5 {
			in, refused := tryMany(t, 20, http.StatusTooManyRequests, a, b)
			if len(in) == 0 || len(in) > most || len(in)+refused != 20 {
				t.Fatalf("%d connections, %d refused; want at most %d", len(in), refused, most)
			}
			for len(in) < most { // two servers that overlapped may both have refused
				d, _ := try(t, a)
				if d == nil {
					t.Fatalf("refused with %d connections", len(in))
				}
				in = append(in, d)
			}
			for _, url := range []string{a, b} {
				if d, _ := try(t, url); d != nil {
					t.Fatal("one too many got in")
				}
			}
			if n := counted(); n != most {
				t.Errorf("the directory counts %d", n)
			}
			dial(t, two.URL+"?user=bob").Close() // others are not concerned
			// Those who drop out make room at once, though they are waited for.
			for _, d := range in {
				d.Close()
			}
			redistest.Eventually(t, patience, "the places", func() bool { return counted() == 0 })
			if !online(t, outside(rdb), "ada") {
				t.Error("offline within the grace")
			}
		}
	})
}

func TestOneTooManyIsClosedAfterItHasAuthenticated(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxPerUser: 1, Handlers: Handlers{Authenticate: byName}})
		d := dialAs(t, s, "ada")
		second := dial(t, s.URL)
		second.say(`{"Name":"ada"}`)
		second.expect("hello ada")
		second.expectClose(CloseTooMany)
		if err := To("ada").Send(outside(rdb), "news"); err != nil {
			t.Fatal(err)
		}
		d.expect("news")
		dialAs(t, s, "bob")
		d.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
		redistest.Eventually(t, patience, "offline", func() bool { return !online(t, outside(rdb), "ada") })
		dialAs(t, s, "ada")
	})
}

func TestAnonymousConnectionsHaveNoLimitPerUser(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxPerUser: 1})
		for range 3 {
			dial(t, s.URL)
		}
	})
}

func TestTheConnectionsOfADeadServerStopCountingWhenItIsReaped(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx, k := t.Context(), newKeyspace("")
		l, err := leases{rdb, k}.take(ctx, "dead", time.Second, false)
		if err != nil {
			t.Fatal(err)
		}
		p := presence{rdb, k, (&Reaper{Redis: rdb}).jobs()}
		if err := p.enroll(ctx, "ada", l.server, false); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.register(ctx, "ada", l, false, seat{count: 2}); err != nil {
			t.Fatal(err)
		}
		s := serve(t, &Server{Redis: rdb, MaxPerUser: 2, Handlers: Handlers{OnConnect: byQuery}})
		if d, _ := try(t, s.URL+"?user=ada"); d != nil {
			t.Error("the connections of a server that may live do not count")
		}
		redistest.Eventually(t, patience, "room", func() bool { d, _ := try(t, s.URL+"?user=ada"); return d != nil })
	})
}

func TestWithoutALimitOnlyTheFirstAndTheLastConnectionAreToldToRedis(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var scripts atomic.Int32
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if runs(cmd, registerScript) || runs(cmd, unregisterScript) || cmd.Name() == "sadd" || cmd.Name() == "srem" {
				scripts.Add(1)
			}
			return next(ctx, cmd)
		})
		s := serve(t, &Server{Redis: other, Handlers: Handlers{OnConnect: byQuery}})
		dial(t, s.URL+"?user=ada")
		first := scripts.Load()
		if first == 0 {
			t.Error("the first connection was not told")
		}
		sub := s.current().find(userChannel("ada"))
		for range 3 {
			d := dial(t, s.URL+"?user=ada")
			d.Close()
		}
		redistest.Eventually(t, patience, "the others to leave", func() bool {
			sub.mu.Lock()
			defer sub.mu.Unlock()
			return sub.size() == 1
		})
		if n := scripts.Load(); n != first {
			t.Errorf("%d more trips for connections that were not the first", n-first)
		}
	})
}
