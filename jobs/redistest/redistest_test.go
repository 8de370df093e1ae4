package redistest_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachGivesAnEmptyRedis(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		n, err := rdb.DBSize(context.Background()).Result()
		if err != nil || n != 0 {
			t.Errorf("DBSIZE = %d, %v, want 0", n, err)
		}
	})
}

func TestServerKeepsItsDataOverAStop(t *testing.T) {
	s := redistest.Real(t)
	ctx := context.Background()
	rdb := s.Client(t)
	for _, end := range []func(){s.Stop, s.Kill} {
		if err := rdb.Incr(ctx, "n").Err(); err != nil {
			t.Fatal(err)
		}
		end()
		if err := rdb.Ping(ctx).Err(); err == nil {
			t.Fatal("a stopped server answers")
		}
		s.Start()
	}
	if n, err := rdb.Get(ctx, "n").Int(); err != nil || n != 2 {
		t.Errorf("n = %d, %v, want 2", n, err)
	}
}

func TestAppendFsyncReachesTheServer(t *testing.T) {
	for _, when := range []string{"always", "everysec"} {
		rdb := redistest.Real(t, redistest.AppendFsync(when)).Client(t)
		if got := rdb.ConfigGet(context.Background(), "appendfsync").Val()["appendfsync"]; got != when {
			t.Errorf("appendfsync is %q, want %q", got, when)
		}
	}
}

func TestProxyCutsAfterTheRequest(t *testing.T) {
	redistest.Each(t, func(t *testing.T, direct *redis.Client) {
		p := redistest.NewProxy(t, direct.Options().Addr)
		rdb := redis.NewClient(&redis.Options{Addr: p.Addr, MaxRetries: -1})
		defer rdb.Close()
		ctx := context.Background()
		p.CutReplies(2, "counter")
		failed := 0
		for range 10 {
			if err := rdb.Incr(ctx, "counter").Err(); err != nil {
				failed++
			}
		}
		if failed != 5 || p.Cuts() != 5 {
			t.Errorf("%d of 10 replies were lost, %d counted as cut, want 5 each", failed, p.Cuts())
		}
		p.CutReplies(0)
		if n, err := rdb.Get(ctx, "counter").Int(); err != nil || n != 10 {
			t.Errorf("counter = %d, %v, want all 10 requests carried out", n, err)
		}
	})
}

func TestProxyHoldsWhatMatches(t *testing.T) {
	redistest.Each(t, func(t *testing.T, direct *redis.Client) {
		p := redistest.NewProxy(t, direct.Options().Addr)
		rdb := redistest.Client(t, p.Addr)
		ctx := context.Background()
		release := p.Hold([]byte("held-key"))
		var done atomic.Bool
		finished := make(chan error)
		go func() {
			err := rdb.Set(ctx, "held-key", "1", 0).Err()
			done.Store(true)
			finished <- err
		}()
		redistest.Eventually(t, 5*time.Second, "the request to be held", func() bool { return p.Held() == 1 })
		if err := rdb.Set(ctx, "other", "1", 0).Err(); err != nil {
			t.Errorf("a request that does not match is held: %v", err)
		}
		if done.Load() || direct.Exists(ctx, "held-key").Val() != 0 {
			t.Error("the held request was passed on")
		}
		release()
		release()
		if err := <-finished; err != nil {
			t.Error(err)
		}
	})
}

func TestProxyDropsAHeldRequestWhoseClientLeft(t *testing.T) {
	direct := redistest.Embedded(t)
	p := redistest.NewProxy(t, direct.Options().Addr)
	rdb := redis.NewClient(&redis.Options{Addr: p.Addr, MaxRetries: -1, ReadTimeout: 50 * time.Millisecond})
	defer rdb.Close()
	ctx := context.Background()
	release := p.Hold([]byte("held-key"))
	if err := rdb.Set(ctx, "held-key", "1", 0).Err(); err == nil {
		t.Error("a held request was answered")
	}
	redistest.Eventually(t, 5*time.Second, "the request to be dropped", func() bool { return p.Held() == 0 })
	release()
	if direct.Exists(ctx, "held-key").Val() != 0 {
		t.Error("the request of a client that left was passed on")
	}
}

func TestProxyCutAllLetsNewConnectionsIn(t *testing.T) {
	direct := redistest.Embedded(t)
	p := redistest.NewProxy(t, direct.Options().Addr)
	rdb := redistest.Client(t, p.Addr)
	ctx := context.Background()
	conn := rdb.Conn()
	defer conn.Close()
	if err := conn.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	p.CutAll()
	if err := conn.Ping(ctx).Err(); err == nil {
		t.Error("a connection survived CutAll")
	}
	if err := rdb.Ping(ctx).Err(); err != nil {
		t.Errorf("a new connection was refused: %v", err)
	}
}

func TestARestoredSnapshotForgetsWhatCameLater(t *testing.T) {
	server := redistest.Real(t)
	rdb, ctx := server.Client(t), context.Background()
	for i := range 100 {
		if err := rdb.RPush(ctx, "list", i).Err(); err != nil {
			t.Fatal(err)
		}
	}
	restore := server.Snapshot()
	for range 2 {
		if err := rdb.Set(ctx, "later", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		restore()
		if n := rdb.LLen(ctx, "list").Val(); n != 100 {
			t.Errorf("%d elements, want 100", n)
		}
		if n := rdb.Exists(ctx, "later").Val(); n != 0 {
			t.Error("it has what was written after the snapshot")
		}
	}
}
