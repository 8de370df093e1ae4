package main

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

func TestMoveRepeatedIsOneMove(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := socket.NewSender(rdb).Context(t.Context())
		for _, event := range []string{"joined", "left", "joined", "left"} {
			first, err := recordMove(ctx, rdb, event, "Ada")
			if err != nil {
				t.Fatal(err)
			}
			if since := time.Since(first.At); since < -time.Minute || since > time.Minute {
				t.Errorf("%s at %v, which is %v ago", event, first.At, since)
			}
			// What others do, and what she says, lies in between.
			if _, err := recordMove(ctx, rdb, event, "Bob"); err != nil {
				t.Fatal(err)
			}
			if _, err := recordChat(ctx, rdb, "Ada", line{rand.Text(), "hello"}); err != nil {
				t.Fatal(err)
			}
			again, err := recordMove(ctx, rdb, event, "Ada")
			if err != nil || again != first {
				t.Errorf("%s again = %+v, %v; want %+v", event, again, err, first)
			}
		}
		view, err := readRoom(ctx, rdb, "Ada")
		if err != nil {
			t.Fatal(err)
		}
		moves := slices.DeleteFunc(lines(view.Entries), func(line string) bool { return !strings.HasSuffix(line, "ed Ada") && line != "left Ada" })
		if !slices.Equal(moves, []string{"joined Ada", "left Ada", "joined Ada", "left Ada"}) {
			t.Errorf("moves %q", moves)
		}
	})
}

func TestChatRepeatedIsOneLine(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := socket.NewSender(rdb).Context(t.Context())
		first, err := recordChat(ctx, rdb, "Ada", line{"REF00001", "hello"})
		if err != nil {
			t.Fatal(err)
		}
		for range logLength + 1 { // the log forgets it
			if _, err := recordChat(ctx, rdb, "Bob", line{rand.Text(), "hello"}); err != nil {
				t.Fatal(err)
			}
		}
		again, err := recordChat(ctx, rdb, "Ada", line{"REF00001", "hello"})
		if err != nil || again != first {
			t.Errorf("again = %+v, %v; want %+v", again, err, first)
		}
		// Another's line is another one, whatever its page calls it.
		other, err := recordChat(ctx, rdb, "Bob", line{"REF00001", "hello"})
		if err != nil || other.ID == first.ID || other.Name != "Bob" {
			t.Errorf("Bob's line = %+v, %v; Ada's is %+v", other, err, first)
		}
		if ttl := rdb.PTTL(ctx, saidKey("Ada", "REF00001")).Val(); ttl <= 0 || ttl > saidKept {
			t.Errorf("the ref expires in %v", ttl)
		}
	})
}

func TestRoom(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := socket.NewSender(rdb).Context(t.Context())
		for _, name := range []string{"Ada", "Bob"} {
			if _, err := recordMove(ctx, rdb, "joined", name); err != nil {
				t.Fatal(err)
			}
		}
		said, err := recordChat(ctx, rdb, "Ada", line{"REF00001", "hello"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := recordProgress(ctx, rdb, "Ada", order{ID: "A1", Item: menu[0]}, "queued"); err != nil {
			t.Fatal(err)
		}
		ada, err := readRoom(ctx, rdb, "Ada")
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(ada.Entries); !slices.Equal(got, []string{"joined Ada", "joined Bob", "chat Ada hello"}) {
			t.Errorf("entries %q", got)
		}
		if last := ada.Entries[len(ada.Entries)-1]; last != said {
			t.Errorf("the room has %+v, and %+v was sent", last, said)
		}
		if len(ada.Orders) != 1 || ada.Orders[0].Order != "A1" || ada.Orders[0].Step != "queued" || ada.Tick != nil {
			t.Errorf("orders %+v, tick %v", ada.Orders, ada.Tick)
		}
		bob, err := readRoom(ctx, rdb, "Bob")
		if err != nil || len(bob.Orders) != 0 {
			t.Errorf("Bob sees the orders %+v, %v; they are Ada's", bob.Orders, err)
		}
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := socket.NewSender(rdb).Context(t.Context())
		for i := range logLength + 20 {
			if _, err := recordChat(ctx, rdb, "Ada", line{rand.Text(), fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			if _, err := recordProgress(ctx, rdb, "Ada", order{ID: fmt.Sprint(i)}, "queued"); err != nil {
				t.Fatal(err)
			}
		}
		view, err := readRoom(ctx, rdb, "Ada")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(view.Entries); n != logLength || view.Entries[0].Text != "20" {
			t.Errorf("%d entries from %q, want %d from 20", n, view.Entries[0].Text, logLength)
		}
		if n := len(view.Orders); n != reportsKept {
			t.Errorf("%d reports of orders, want %d", n, reportsKept)
		}
		if ttl := rdb.TTL(ctx, ordersKey("Ada")).Val(); ttl <= 0 || ttl > reportsExpiry {
			t.Errorf("the orders expire in %v", ttl)
		}
	})
}

func lines(entries []entry) []string {
	var all []string
	for _, e := range entries {
		line := e.Type + " " + e.Name
		if e.Text != "" {
			line += " " + e.Text
		}
		all = append(all, line)
	}
	return all
}
