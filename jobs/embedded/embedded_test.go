package embedded_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	server, err := embedded.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rdb := server.Client()
	defer rdb.Close()

	ctx := context.Background()
	rdb.Set(ctx, "greeting", "hello", 0)
	fmt.Println(rdb.Get(ctx, "greeting").Val())
	// Output: hello
}

func TestKeysExpireByTheClock(t *testing.T) {
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	rdb := server.Client()
	defer rdb.Close()
	ctx := context.Background()
	if err := rdb.Set(ctx, "lease", "held", 20*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(5 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if err := rdb.Get(ctx, "lease").Err(); err == redis.Nil {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("a key that lives for 20 ms was still there after 5 s")
		}
	}
}

func TestURLNamesTheServer(t *testing.T) {
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	options, err := redis.ParseURL(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	if options.Addr != server.Addr {
		t.Errorf("URL %q leads to %q, want %q", server.URL(), options.Addr, server.Addr)
	}
	server.Close()
	server.Close()
}
