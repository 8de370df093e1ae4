package socket

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// What the benchmarks of growth need of the steps.

type growthServer struct{ t topics }

func serveGrowth(_ *testing.B, rdb *redis.Client) growthServer {
	return growthServer{topics{rdb, newKeyspace("")}}
}

// topicIsRead does what a server does that was told of a topic.
func (s growthServer) topicIsRead(ctx context.Context, _ *redis.Client, user, topic string) error {
	_, err := s.t.some(ctx, user, []string{topic})
	return err
}

func benchLease(b *testing.B, rdb *redis.Client) lease {
	b.Helper()
	l, err := leases{rdb, newKeyspace("")}.take(context.Background(), "bench", time.Hour, false)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func benchRegister(ctx context.Context, p presence, l lease, user string) error {
	_, _, err := p.register(ctx, user, l, false, seat{count: 1})
	return err
}

func lookOnce(ctx context.Context, l leases) error {
	_, _, _, err := l.look(ctx, 0)
	return err
}
