package socket

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// lines is a log of which the lines are counted.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

func TestARedisThatIsAwayDoesNotFillTheLog(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var away atomic.Bool
		var refused atomic.Int32
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if away.Load() {
				refused.Add(1)
				return lost(cmd)
			}
			return next(ctx, cmd)
		})
		var log lines
		s := serve(t, &Server{Redis: other, Lease: time.Second, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery},
			Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stays, goes := dial(t, s.URL+"?user=ada"), dial(t, s.URL+"?user=bob")
		away.Store(true)
		goes.Close()
		redistest.Eventually(t, 2*patience, "many commands to fail, and connections to be refused", func() bool {
			if conn, err := dialQuietly(s.URL + "?user=carol"); err == nil {
				conn.Close()
				t.Error("a user was let in")
			}
			return refused.Load() > 120
		})
		away.Store(false)
		redistest.Eventually(t, patience, "everything to work again", func() bool {
			again := dial(t, s.URL+"?user=carol")
			again.Close()
			text := log.text()
			return strings.Count(text, "works again") == strings.Count(text, "is tried again")
		})
		if n := strings.Count(log.text(), "\n"); n > 20 {
			t.Errorf("%d lines were logged:\n%s", n, log.text())
		}
		sendText(t, outside(rdb), To("ada"), "news")
		stays.expect("news")
	})
}

// A Redis that fails over may refuse all attempts but the last, and then not know the
// script.
func TestAScriptThatRedisDoesNotHaveIsNoAttempt(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		attempts := 0
		other := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
			if !runs(cmd, appendScript) {
				return next(ctx, cmd)
			}
			switch attempts++; {
			case attempts <= len(sendBackoff):
				cmd.SetErr(refusal("LOADING Redis is loading the dataset in memory"))
			case attempts == len(sendBackoff)+1:
				cmd.SetErr(refusal("NOSCRIPT No matching script."))
			default:
				return next(ctx, cmd)
			}
			return cmd.Err()
		})
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		sendText(t, outside(other), To("ada"), "news")
		d.expect("news")
		if attempts != len(sendBackoff)+2 {
			t.Errorf("it took %d attempts", attempts)
		}
	})
}
