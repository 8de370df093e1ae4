package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestMoveRepeatedIsOneMove(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for _, event := range []string{"joined", "left"} {
			first, err := recordMove(t.Context(), rdb, event, "Ada")
			if err != nil {
				t.Fatal(err)
			}
			if since := time.Since(first.At); since < -time.Minute || since > time.Minute {
				t.Errorf("%s at %v, which is %v ago", event, first.At, since)
			}
			again, err := recordMove(t.Context(), rdb, event, "Ada")
			if err != nil || again != first {
				t.Errorf("%s again = %+v, %v; want %+v", event, again, err, first)
			}
		}
		view, err := readRoom(t.Context(), rdb, "Ada")
		if err != nil {
			t.Fatal(err)
		}
		if got := lines(view.Entries); !slices.Equal(got, []string{"joined Ada", "left Ada"}) || len(view.Members) != 0 {
			t.Errorf("entries %q, members %q", got, view.Members)
		}
	})
}

func TestMoveForgottenByTheLogIsNoMove(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		if _, err := recordMove(t.Context(), rdb, "left", "Ada"); !errors.Is(err, redis.Nil) {
			t.Errorf("leaving without having joined: %v, want redis.Nil", err)
		}
	})
}

func TestRoom(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := t.Context()
		for _, name := range []string{"Ada", "Bob"} {
			if _, err := recordMove(ctx, rdb, "joined", name); err != nil {
				t.Fatal(err)
			}
		}
		said, err := recordChat(ctx, rdb, "Ada", "hello")
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
		slices.Sort(ada.Members)
		if !slices.Equal(ada.Members, []string{"Ada", "Bob"}) {
			t.Errorf("members %q", ada.Members)
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
		for i := range logLength + 20 {
			if _, err := recordChat(t.Context(), rdb, "Ada", fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
			if _, err := recordProgress(t.Context(), rdb, "Ada", order{ID: fmt.Sprint(i)}, "queued"); err != nil {
				t.Fatal(err)
			}
		}
		view, err := readRoom(t.Context(), rdb, "Ada")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(view.Entries); n != logLength || view.Entries[0].Text != "20" {
			t.Errorf("%d entries from %q, want %d from 20", n, view.Entries[0].Text, logLength)
		}
		if n := len(view.Orders); n != reportsKept {
			t.Errorf("%d reports of orders, want %d", n, reportsKept)
		}
		if ttl := rdb.TTL(t.Context(), ordersKey("Ada")).Val(); ttl <= 0 || ttl > reportsExpiry {
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
