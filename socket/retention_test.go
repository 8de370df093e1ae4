package socket

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// What Retain, Ephemeral and Latest promise, besides what resume_test.go has.

// returns connects a device of ada's that was there, and tells it what it lost.
func returns(t *testing.T, s *running, at map[string]string, recovered bool) resumer {
	t.Helper()
	r := dialResumer(t, s.URL+"?user=ada")
	if hello := r.connect(at); hello.Recovered == nil || *hello.Recovered != recovered {
		t.Errorf("connected with %+v, want recovered %v", hello, recovered)
	}
	return r
}

func TestALogKeepsWhatTheMostDemandingAsksFor(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		sender := NewSender(rdb)
		sender.RetainMessages, sender.RetainFor = 2, time.Minute
		ctx := sender.Context(t.Context())
		keeps, r := dial(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		r.Close()
		sendText(t, ctx, To("ada"), "0")
		sendText(t, ctx, To("ada"), "1")
		r = returns(t, s, at, true)
		r.expectText("", "0")
		r.expectText("", "1")
		r.Close()
		sendText(t, ctx, To("ada"), "2") // one more than the sender's default
		returns(t, s, at, false).Close()

		for i := range 3 { // so the server has them
			keeps.expect(fmt.Sprint(i))
		}
		r = dialResumer(t, s.URL+"?user=ada")
		at = r.connect(nil).At
		r.Close()
		for i := range 5 {
			sendText(t, ctx, To("ada"), fmt.Sprint("demanding ", i), Retain(10, time.Minute))
			sendText(t, ctx, To("ada"), fmt.Sprint("modest ", i), Retain(1, time.Second))
		}
		r = returns(t, s, at, true)
		for i := range 5 {
			r.expectText("", fmt.Sprint("demanding ", i))
			r.expectText("", fmt.Sprint("modest ", i))
		}
		if ttl := rdb.PTTL(ctx, newKeyspace("").log(userChannel("ada"))).Val(); ttl < 50*time.Second || ttl > 72*time.Second {
			t.Errorf("the log expires in %v, want a minute, or a fifth more", ttl)
		}
	})
}

func TestWhatHasExpiredIsLost(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx, k := outside(rdb), newKeyspace("")
		r := dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		sendText(t, ctx, To("ada"), "seen", Retain(10, 100*time.Millisecond))
		top := map[string]string{nameUser: r.expectText("", "seen"), nameBroadcast: at[nameBroadcast]}
		r.Close()
		redistest.Eventually(t, patience, "the log to expire", func() bool { return rdb.Exists(ctx, k.log(userChannel("ada"))).Val() == 0 })
		returns(t, s, at, false).Close()
		r = returns(t, s, top, true) // who has it all lost nothing
		sendText(t, ctx, To("ada"), "a score", Latest("score"), Retain(10, 100*time.Millisecond))
		r.expectText("", "a score")
		r.Close()
		redistest.Eventually(t, patience, "the score to expire", func() bool { return rdb.Exists(ctx, k.latest(userChannel("ada"))).Val() == 0 })
		returns(t, s, top, false)
	})
}

func TestOptionsThatDoNotGoTogether(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := outside(rdb)
		for name, opts := range map[string][]SendOption{
			"no messages":           {Retain(0, time.Minute)},
			"no time":               {Retain(1, 0)},
			"too little time":       {Retain(1, time.Millisecond-1)},
			"an empty key":          {Latest("")},
			"Ephemeral with Retain": {Ephemeral(), Retain(1, time.Minute)},
			"Ephemeral with Latest": {Latest("k"), Ephemeral()},
		} {
			for to, err := range map[string]error{
				"ada": To("ada").Send(ctx, "x", opts...), "a topic": Topic("room").Send(ctx, "x", opts...),
				"all": Broadcast(ctx, "x", opts...), "the current user": Send(as(rdb, "ada"), "x", opts...),
			} {
				if !errors.Is(err, ErrOption) {
					t.Errorf("%s to %s: %v, want ErrOption", name, to, err)
				}
			}
		}
		for _, ch := range []channel{userChannel("ada"), topicChannel("room"), broadcast} {
			if n := rdb.Exists(ctx, newKeyspace("").log(ch), newKeyspace("").latest(ch)).Val(); n > 0 {
				t.Errorf("a message was sent to %s", ch)
			}
		}
	})
}

// Ephemeral messages are in the order of the others, and have no place in the log.
func TestEphemeralMessagesAreInOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r, plain := dialResumer(t, s.URL+"?user=ada"), dial(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		join(t, rdb, "room", "ada")
		r.expectJoined("room")
		sendText(t, ctx, Topic("room"), "begin")
		at["#room"] = r.expectText("#room", "begin")
		plain.expect("begin")
		for i := range 50 {
			sendText(t, ctx, To("ada"), fmt.Sprint("cursor ", i), Ephemeral())
			sendText(t, ctx, To("ada"), fmt.Sprint("text ", i))
		}
		for i := range 50 {
			if position := r.expectText("", fmt.Sprint("cursor ", i)); position != "" {
				t.Fatalf("an ephemeral message has the position %q", position)
			}
			at[nameUser] = r.expectText("", fmt.Sprint("text ", i))
			plain.expect(fmt.Sprint("cursor ", i))
			plain.expect(fmt.Sprint("text ", i))
		}
		if err := errors.Join(Topic("room").Send(ctx, "in the room", Ephemeral()), Broadcast(ctx, "to all", Ephemeral())); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for range 2 { // channels have an order each
			m := r.receive()
			if m.Text == nil || m.At != "" {
				t.Fatalf("received %+v, want an ephemeral text", m)
			}
			got[m.On] = *m.Text
		}
		if got["#room"] != "in the room" || got["*"] != "to all" {
			t.Errorf("received %v", got)
		}
		r.Close()
		sendText(t, ctx, Topic("room"), "who is away does not see this", Ephemeral())
		for text := ""; text != "who is away does not see this"; text = plain.next() {
		}
		r = returns(t, s, at, true)
		sendText(t, ctx, Topic("room"), "end")
		r.expectText("#room", "end")
	})
}

// Of a score that changes faster than a client reads it sees some, in order, and
// at last the newest. It is not closed, whatever their number.
func TestASlowClientSeesTheLatest(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxQueued: 256 << 10, WriteTimeout: time.Minute, PingInterval: time.Minute, Handlers: Handlers{OnConnect: byQuery}})
		ctx, big := outside(rdb), strings.Repeat("x", 100<<10)
		r, plain := dialResumer(t, s.URL+"?user=ada"), dial(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		const messages = 200 // 20 MB, more than the socket and the queue take
		for i := range messages {
			sendText(t, ctx, To("ada"), fmt.Sprint(i, " ", big), Latest("score"))
		}
		sendText(t, ctx, To("ada"), fmt.Sprint(messages, " end"))
		for name, next := range map[string]func() string{
			"plain": plain.next,
			"resumer": func() string {
				m := r.receive()
				if m.Text == nil {
					t.Fatalf("received %+v", m)
				}
				at[nameUser] = m.At
				return *m.Text
			},
		} {
			last, count, end := -1, 0, false
			for !end {
				var n int
				var rest string
				if _, err := fmt.Sscan(next(), &n, &rest); err != nil {
					t.Fatal(err)
				}
				if end = rest == "end"; n <= last || end && last != messages-1 {
					t.Fatalf("%s received %d after %d", name, n, last)
				}
				last = n
				count++
			}
			if count >= messages {
				t.Errorf("%s received all of %d messages", name, count)
			}
			t.Logf("%s received %d of %d", name, count, messages+1)
		}
		r.Close()
		sendText(t, ctx, To("ada"), "of the next day", Latest("score"))
		r = returns(t, s, at, true)
		r.expectText("", "of the next day")
	})
}

// A device that comes back to a topic sees of each key the newest, in the topic's
// order.
func TestLatestOfATopicAndOfABroadcast(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		keeps, r := dial(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		join(t, rdb, "room", "ada")
		r.expectJoined("room")
		sendText(t, ctx, Topic("room"), "begin")
		at["#room"] = r.expectText("#room", "begin")
		keeps.expect("begin")
		r.Close()
		for i := range 3 {
			sendText(t, ctx, Topic("room"), fmt.Sprint("price ", i), Latest("price"))
			sendText(t, ctx, Topic("room"), fmt.Sprint("trade ", i))
			if err := Broadcast(ctx, fmt.Sprint("status ", i), Latest("status")); err != nil {
				t.Fatal(err)
			}
		}
		for last := 0; last < 3; { // so the server has them
			if strings.HasSuffix(keeps.next(), " 2") {
				last++
			}
		}
		r = returns(t, s, at, true)
		got := map[string][]string{}
		for range 5 {
			m := r.receive()
			if m.Text == nil || m.At == "" {
				t.Fatalf("received %+v", m)
			}
			got[m.On] = append(got[m.On], *m.Text)
			at[m.On] = m.At
		}
		if want := "map[#room:[trade 0 trade 1 price 2 trade 2] *:[status 2]]"; fmt.Sprint(got) != want {
			t.Errorf("received %v, want %s", got, want)
		}
		r.Close()
		r = returns(t, s, at, true)
		sendText(t, ctx, Topic("room"), "end")
		r.expectText("#room", "end")
	})
}

// A log, its hash of Latest and the state of its channel expire no earlier than the
// most demanding message asked for, and the log and the hash not much later.
func TestWhatIsKeptExpiresWithTheMostDemanding(t *testing.T) {
	type sent struct {
		text string
		opts []SendOption
	}
	plain, score := sent{"plain", nil}, sent{"score", []SendOption{Latest("score")}}
	demanding := sent{"demanding", []SendOption{Retain(10, 72*time.Hour)}}
	demandingScore := sent{"demanding score", []SendOption{Latest("other"), Retain(10, 72*time.Hour)}}
	const minute, days = time.Minute, 72 * time.Hour
	for name, c := range map[string]struct {
		sends       []sent
		log, latest time.Duration
	}{
		"a message after one of Latest":                   {[]sent{score, plain}, minute, minute},
		"one of Latest after a demanding message":         {[]sent{demanding, score}, days, days},
		"one of Latest after a demanding one of Latest":   {[]sent{demandingScore, score}, 0, days},
		"a message after a demanding one":                 {[]sent{demanding, plain}, days, 0},
		"a message after a demanding one of Latest":       {[]sent{demandingScore, plain}, days, days},
		"a demanding message after one of Latest":         {[]sent{score, demanding}, days, days},
		"two messages of Latest and two others, in turns": {[]sent{score, plain, score, plain}, minute, minute},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
				sender := NewSender(rdb)
				sender.RetainFor = time.Minute
				ctx, k, ada := sender.Context(t.Context()), newKeyspace(""), userChannel("ada")
				s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}, OfflineAfter: -1})
				conn := dial(t, s.URL+"?user=ada")
				for _, m := range c.sends {
					sendText(t, ctx, To("ada"), m.text, m.opts...)
				}
				for key, want := range map[string]time.Duration{k.log(ada): c.log, k.latest(ada): c.latest} {
					switch ttl := rdb.PTTL(ctx, key).Val(); {
					case want == 0 && rdb.Exists(ctx, key).Val() == 0:
					case ttl < want-10*time.Second || ttl > want*5/4:
						t.Errorf("%s expires in %v, want about %v", key, ttl, want)
					}
				}
				least := max(c.log, c.latest)
				conn.Close()
				redistest.Eventually(t, patience, "the state to expire", func() bool { return rdb.PTTL(ctx, k.state(ada)).Val() > 0 })
				if ttl := rdb.PTTL(ctx, k.state(ada)).Val(); ttl < least {
					t.Errorf("with nobody there, the state expires in %v, before the log", ttl)
				}
				last := c.sends[len(c.sends)-1]
				sendText(t, ctx, To("ada"), last.text, last.opts...)
				if ttl := rdb.PTTL(ctx, k.state(ada)).Val(); ttl < least {
					t.Errorf("sent to nobody, the state expires in %v, before the log", ttl)
				}
			})
		})
	}
}
