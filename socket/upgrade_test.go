package socket

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A request that cannot become a WebSocket makes nobody's user of its client.
func TestARequestThatCannotBeUpgradedReachesNobody(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var asked atomic.Int64
		s := serve(t, &Server{Redis: rdb, OfflineAfter: -1, Handlers: Handlers{
			OnConnect: func(ctx context.Context, r *http.Request) (*User, error) {
				asked.Add(1)
				return &User{ID: "ada"}, nil
			},
			OnOnline:  func(context.Context, string) error { return nil },
			OnOffline: func(context.Context, string) error { return nil },
		}})
		for _, test := range []struct {
			name, method, header, value string
			status                      int
		}{
			{"without a key", "GET", "Sec-WebSocket-Key", "", http.StatusBadRequest},
			{"with a short key", "GET", "Sec-WebSocket-Key", "c2hvcnQ=", http.StatusBadRequest},
			{"with a key that is no base64", "GET", "Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==", http.StatusBadRequest},
			{"with version 8", "GET", "Sec-WebSocket-Version", "8", http.StatusBadRequest},
			{"without a version", "GET", "Sec-WebSocket-Version", "", http.StatusBadRequest},
			{"by POST", "POST", "X-Nothing", "", http.StatusMethodNotAllowed},
			{"without Upgrade", "GET", "Upgrade", "", http.StatusUpgradeRequired},
			{"without Connection", "GET", "Connection", "", http.StatusUpgradeRequired},
		} {
			r, err := http.NewRequestWithContext(t.Context(), test.method, "http"+strings.TrimPrefix(s.URL, "ws"), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket",
				"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
				r.Header.Set(name, value)
			}
			if r.Header.Del(test.header); test.value != "" {
				r.Header.Set(test.header, test.value)
			}
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			res.Body.Close()
			if res.StatusCode != test.status {
				t.Errorf("%s: answered with %d, want %d", test.name, res.StatusCode, test.status)
			}
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("OnConnect was called %d times", n)
		}
		known := func() bool { return rdb.Exists(t.Context(), newKeyspace("").presence("ada")).Val() == 1 }
		if known() {
			t.Error("Redis has heard of the user")
		}
		if d, res := try(t, s.URL); d == nil {
			t.Fatalf("a request that is right is answered with %d", res.StatusCode)
		}
		redistest.Eventually(t, patience, "who connects to be online", func() bool { return online(t, outside(rdb), "ada") })
		if !known() {
			t.Error("Redis has not heard of one who came")
		}
	})
}

func TestAVersionMayBeOneOfSeveral(t *testing.T) {
	for _, test := range []struct {
		lines []string
		want  bool
	}{
		{[]string{"13"}, true}, {[]string{"8, 13"}, true}, {[]string{"8", " 13"}, true},
		{nil, false}, {[]string{"130"}, false}, {[]string{"1", "3"}, false},
	} {
		if got := hasToken(test.lines, "13"); got != test.want {
			t.Errorf("%q: %v", test.lines, got)
		}
	}
}
