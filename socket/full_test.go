package socket

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// fill has a Redis refuse whatever may take memory, until empty is called.
func fill(t *testing.T, rdb *redis.Client) (empty func()) {
	t.Helper()
	set := func(bytes string) {
		t.Helper()
		if err := rdb.ConfigSet(context.Background(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("1")
	return func() { t.Helper(); set("0") }
}

// A Redis that is embedded has no maxmemory.
func TestAFullRedisRefusesWhatAdds(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: func(_ context.Context, r *http.Request) (*User, error) {
		if user := r.URL.Query().Get("user"); user != "" {
			return &User{ID: user}, nil
		}
		return nil, nil
	}, Authenticate: byName}})
	ctx := jobs.WithUserID(outside(rdb), "ada")
	d := dial(t, s.URL+"?user=ada")
	undecided := dial(t, s.URL)
	empty := fill(t, rdb)
	for what, do := range map[string]func() error{
		"Send":      func() error { return Send(ctx, "x") },
		"To":        func() error { return To("ada", "bob").Send(ctx, "x") },
		"Topic":     func() error { return Topic("news").Send(ctx, "x") },
		"Broadcast": func() error { return Broadcast(ctx, "x") },
		"Latest":    func() error { return Send(ctx, "x", Latest("score")) },
		"Ephemeral": func() error { return Send(ctx, "x", Ephemeral()) },
		"Join":      func() error { return Join(ctx, "news") },
		"Run":       func() error { return (&Server{Redis: rdb, Logger: quiet}).Run(t.Context()) },
	} {
		if err := do(); !errors.Is(err, ErrFull) || errors.Is(err, ErrUncertain) {
			t.Errorf("%s: %v, want ErrFull", what, err)
		}
	}
	_, resp, err := websocket.DefaultDialer.Dial(s.URL+"?user=new", nil)
	if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("a new user: %v, %v", resp, err)
	}
	if body, _ := io.ReadAll(resp.Body); !strings.Contains(string(body), "no room") {
		t.Errorf("a new user is told %q", body)
	}
	undecided.say(`{"Name":"new"}`)
	undecided.expect("hello new")
	undecided.expectClose(CloseTryLater)
	redistest.Eventually(t, patience, "nothing to be left of the new user", func() bool {
		left, err := rdb.Keys(ctx, "*new*").Result()
		return err == nil && len(left) == 0 && s.current().find(userChannel("new")) == nil &&
			rdb.SCard(ctx, newKeyspace("").users(s.current().current.Load().server)).Val() == 1
	})
	empty()
	if err := Send(ctx, "news"); err != nil {
		t.Fatal(err)
	}
	d.expect("news")
	again := dial(t, s.URL+"?user=new")
	sendText(t, ctx, To("new"), "news")
	again.expect("news")
}

func TestAFullRedisRenewsDrainsAndSaysGoodbye(t *testing.T) {
	server := redistest.Real(t)
	rdb := server.Client(t)
	ctx, k := outside(rdb), newKeyspace("")
	notes := func(what string) func(context.Context, string) error {
		return func(ctx context.Context, user string) error { return rdb.RPush(ctx, notesKey(user), what).Err() }
	}
	h := Handlers{OnConnect: byQuery, OnOnline: notes("online"), OnOffline: notes("offline")}
	s := serve(t, &Server{Redis: rdb, Lease: time.Second, OfflineAfter: -1, Handlers: h})
	var devices = map[string]*device{}
	for _, user := range []string{"leaves", "goes", "stays"} {
		devices[user] = dial(t, s.URL+"?user="+user)
		if err := Join(jobs.WithUserID(ctx, user), "news"); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := leases{rdb, k}.take(ctx, "dead", time.Second, false)
	if err != nil {
		t.Fatal(err)
	}
	p := presence{rdb, k, (&Reaper{Redis: rdb}).jobs()}
	if err := p.enroll(ctx, "killed", dead.server, false); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.register(ctx, "killed", dead, false, seat{count: 1}); err != nil {
		t.Fatal(err)
	}
	if err := Join(jobs.WithUserID(ctx, "killed"), "news"); err != nil {
		t.Fatal(err)
	}
	sendText(t, ctx, Topic("news"), "before") // perhaps still in the inbox
	empty := fill(t, rdb)

	for _, d := range devices {
		d.expect("before")
	}
	lease := s.current().current.Load()
	redistest.Eventually(t, patience, "the lease to be renewed", func() bool {
		return s.current().current.Load().till >= lease.till+1000
	})
	if now := s.current().current.Load().server; now != lease.server {
		t.Errorf("the server began anew")
	}
	redistest.Eventually(t, patience, "what was read to be trimmed", func() bool { return rdb.XLen(ctx, k.inbox(lease.server)).Val() <= 1 })
	if err := Leave(jobs.WithUserID(ctx, "leaves"), "news"); err != nil {
		t.Errorf("Leave: %v", err)
	}
	devices["goes"].WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(CloseNormal, ""), time.Now().Add(patience))
	redistest.Eventually(t, 2*patience, "who went and who was on a killed server to be offline and out of the topic", func() bool {
		members, err := Members(ctx, "news")
		return err == nil && len(members) == 1 && members[0] == "stays" && !online(t, ctx, "goes") && !online(t, ctx, "killed")
	})
	redistest.Eventually(t, patience, "the dead lease to go", func() bool { return rdb.ZScore(ctx, k.leases(), "dead").Err() == redis.Nil })

	// The server loses its inbox and has to begin anew.
	if err := rdb.Del(ctx, k.inbox(lease.server)).Err(); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, patience, "the user to be registered anew", func() bool {
		now := s.current().current.Load().server
		_, there := directoryOf(t, rdb, "stays")[now]
		return now != lease.server && there
	})

	empty()
	sendText(t, ctx, Topic("news"), "after")
	devices["stays"].expect("after")
	start(t, "worker", server.Addr)
	redistest.Eventually(t, 2*patience, "the transitions that waited", func() bool { return presenceRecord(t, rdb, "goes") == "online offline" })
	if n := rdb.LLen(ctx, k.outbox("goes")).Val(); n != 0 {
		t.Errorf("%d lines are left in the outbox", n)
	}
}
