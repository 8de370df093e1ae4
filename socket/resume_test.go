package socket

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func sendText(t testing.TB, ctx context.Context, to Recipients, text string, opts ...SendOption) {
	t.Helper()
	if err := to.Send(ctx, text, opts...); err != nil {
		t.Fatal(err)
	}
}

func TestAClientResumesWhatItMissed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		two := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r := dialResumer(t, one.URL+"?user=ada")
		hello := r.connect(nil)
		if hello.User != "ada" || hello.Recovered != nil || hello.At[nameUser] == "" || hello.At[nameBroadcast] == "" || hello.MaxMessage != DefaultMaxMessage {
			t.Errorf("connected with %+v", hello)
		}
		sendText(t, ctx, To("ada"), "0")
		at := map[string]string{nameUser: r.expectText("", "0"), nameBroadcast: hello.At[nameBroadcast]}
		r.Close()
		for i := range 300 {
			sendText(t, ctx, To("ada"), fmt.Sprint("missed ", i), Retain(1000, time.Minute))
		}
		if err := Broadcast(ctx, "all"); err != nil {
			t.Fatal(err)
		}
		again := dialResumer(t, two.URL+"?user=ada")
		hello = again.connect(at)
		if hello.Recovered == nil || !*hello.Recovered || len(hello.Lost) != 0 || hello.At[nameUser] != at[nameUser] {
			t.Errorf("connected again with %+v", hello)
		}
		for i := range 300 {
			at[nameUser] = again.expectText("", fmt.Sprint("missed ", i))
		}
		at[nameBroadcast] = again.expectText("*", "all")
		sendText(t, ctx, To("ada"), "live")
		at[nameUser] = again.expectText("", "live")
		again.Close()

		// Nothing was missed.
		third := dialResumer(t, one.URL+"?user=ada")
		if hello := third.connect(at); hello.Recovered == nil || !*hello.Recovered {
			t.Errorf("connected the third time with %+v", hello)
		}
		sendText(t, ctx, To("ada"), "more")
		third.expectText("", "more")
	})
}

func TestAClientIsToldWhatIsLost(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		r.Close()
		for i := range 5 {
			sendText(t, ctx, To("ada"), fmt.Sprint(i), Retain(3, time.Minute))
		}
		for name, named := range map[string]map[string]string{
			"beyond the retention": at,
			"of no client":         {nameUser: "zzzz", nameBroadcast: at[nameBroadcast]},
			"unreadable":           {nameUser: "...", nameBroadcast: at[nameBroadcast]},
		} {
			again := dialResumer(t, s.URL+"?user=ada")
			hello := again.connect(named)
			if hello.Recovered == nil || *hello.Recovered || len(hello.Lost) != 1 || hello.Lost[0] != nameUser {
				t.Errorf("%s: connected with %+v", name, hello)
			}
			sendText(t, ctx, To("ada"), name, Retain(3, time.Minute)) // with more, what is still there would count
			again.expectText("", name)
			again.Close()
		}
		// From the new position on it is as before.
		again := dialResumer(t, s.URL+"?user=ada")
		at = again.connect(nil).At
		again.Close()
		sendText(t, ctx, To("ada"), "later")
		last := dialResumer(t, s.URL+"?user=ada")
		if hello := last.connect(at); hello.Recovered == nil || !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		last.expectText("", "later")
	})
}

func TestAnIdleClientAtTheTopResumesFromAnEmptyLog(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx, k := outside(rdb), newKeyspace("")
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		sendText(t, ctx, To("ada"), "x")
		at[nameUser] = r.expectText("", "x")
		r.Close()
		if err := rdb.Del(ctx, k.log(userChannel("ada"))).Err(); err != nil { // as if it had expired
			t.Fatal(err)
		}
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		again.Close()
		sendText(t, ctx, To("ada"), "y")
		third := dialResumer(t, s.URL+"?user=ada")
		if hello := third.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		third.expectText("", "y")
	})
}

func TestARedisThatWentBackIsNoticedByWhoResumes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx, k, ch := outside(rdb), newKeyspace(""), userChannel("ada")
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		sendText(t, ctx, To("ada"), "kept")
		r.expectText("", "kept")
		top := rdb.Get(ctx, k.state(ch)).Val()
		sendText(t, ctx, To("ada"), "forgotten 1")
		at[nameUser] = r.expectText("", "forgotten 1")
		sendText(t, ctx, To("ada"), "forgotten 2")
		r.expectText("", "forgotten 2")
		rdb.LTrim(ctx, k.log(ch), 0, 0)
		rdb.Set(ctx, k.state(ch), top, 0)
		sendText(t, ctx, To("ada"), "new")
		if m := r.receive(); m.Missed == nil || *m.Missed != nameUser {
			t.Errorf("received %+v, want to be told that messages are missed", m)
		}
		r.expectText("", "new")
		r.Close()
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); *hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
	})
}

func TestLatestReplacesWhatAClientMissed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		sendText(t, ctx, To("ada"), "score 1", Latest("score"))
		r.expectText("", "score 1")
		sendText(t, ctx, To("ada"), "score 2", Latest("score"))
		at[nameUser] = r.expectText("", "score 2")
		r.Close()
		sendText(t, ctx, To("ada"), "score 3", Latest("score"))
		sendText(t, ctx, To("ada"), "a")
		sendText(t, ctx, To("ada"), "wind 1", Latest("wind"))
		sendText(t, ctx, To("ada"), "score 4", Latest("score"))
		sendText(t, ctx, To("ada"), "b")
		sendText(t, ctx, To("ada"), "score 5", Latest("score"))
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		for _, want := range []string{"a", "wind 1", "b", "score 5"} {
			at[nameUser] = again.expectText("", want)
		}
		again.Close()
		third := dialResumer(t, s.URL+"?user=ada")
		if hello := third.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		sendText(t, ctx, To("ada"), "end")
		third.expectText("", "end")
	})
}

func TestAKeyOfLatestThatWasDroppedIsTold(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		r.Close()
		for i := range 4 {
			sendText(t, ctx, To("ada"), fmt.Sprint(i), Latest(fmt.Sprint("key ", i)), Retain(3, time.Minute))
		}
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); *hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
	})
}

func TestEphemeralMessagesAreOnlyForThoseWhoAreThere(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		plain := dial(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		sendText(t, ctx, To("ada"), "typing", Ephemeral())
		if position := r.expectText("", "typing"); position != "" {
			t.Errorf("an ephemeral message has the position %q", position)
		}
		plain.expect("typing")
		r.Close()
		sendText(t, ctx, To("ada"), "typing again", Ephemeral())
		sendText(t, ctx, To("ada"), "said")
		plain.expect("typing again")
		plain.expect("said") // so it is over
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		again.expectText("", "said")
		if n := rdb.LLen(ctx, newKeyspace("").log(userChannel("ada"))).Val(); n != 1 {
			t.Errorf("the log has %d messages, want one", n)
		}
	})
}

// Messages come all the time while clients come and go.
func TestWhoResumesUnderLoadMissesNothing(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		servers := []*running{
			serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}),
			serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}}),
		}
		sender := NewSender(rdb)
		sender.RetainMessages = 100_000
		ctx := sender.Context(context.Background())
		const messages = 3000
		sent := make(chan error, 1)
		first := dialResumer(t, servers[0].URL+"?user=ada")
		at := first.connect(nil).At
		go func() {
			for i := range messages {
				if err := To("ada").Send(ctx, fmt.Sprint(i)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		next := 0
		for r, turn := first, 0; next < messages; turn++ {
			for range 40 {
				if next == messages {
					break
				}
				at[nameUser] = r.expectText("", fmt.Sprint(next))
				next++
			}
			r.Close()
			r = dialResumer(t, servers[turn%2].URL+"?user=ada")
			if hello := r.connect(at); !*hello.Recovered {
				t.Fatalf("connected with %+v after message %d", hello, next)
			}
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	})
}

func TestALargeBacklogIsGivenAsTheClientReads(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	s := serve(t, &Server{Redis: rdb, MaxQueued: 256 << 10, Handlers: Handlers{OnConnect: byQuery}})
	ctx := outside(rdb)
	r := dialResumer(t, s.URL+"?user=ada")
	at := r.connect(nil).At
	r.Close()
	big := strings.Repeat("x", 20<<10)
	const messages = 1200 // about a hundred times what may be queued
	for i := range messages {
		sendText(t, ctx, To("ada"), fmt.Sprint(i, " ", big), Retain(messages, time.Minute))
	}
	again := dialResumer(t, s.URL+"?user=ada")
	if hello := again.connect(at); !*hello.Recovered {
		t.Fatalf("connected with %+v", hello)
	}
	for i := range messages {
		again.expectText("", fmt.Sprint(i, " ", big))
	}
}

func TestTheFirstFrameMustBeTheConnectFrame(t *testing.T) {
	s := serve(t, &Server{Redis: redistest.Embedded(t), Handlers: Handlers{OnConnect: byQuery}})
	for _, frames := range [][]string{
		{`{"data":1}`}, {`hello`}, {`{"ack":"x"}`}, {`{"connect":{}}`, `{"connect":{}}`}, {`{}`, `[]`},
	} {
		r := dialResumer(t, s.URL+"?user=ada")
		for _, f := range frames {
			r.say(f)
		}
		r.SetReadDeadline(time.Now().Add(patience))
		var err error
		for err == nil {
			_, _, err = r.ReadMessage()
		}
		if !websocket.IsCloseError(err, CloseProtocol) {
			t.Errorf("after %q: %v, want close code %d", frames, err, CloseProtocol)
		}
	}
}

func TestAClientThatNeverSaysConnectIsClosed(t *testing.T) {
	s := serve(t, &Server{Redis: redistest.Embedded(t), AuthTimeout: 100 * time.Millisecond, Handlers: Handlers{OnConnect: byQuery}})
	r := dialResumer(t, s.URL+"?user=ada")
	r.expectClose(CloseAuthTimeout)
}
