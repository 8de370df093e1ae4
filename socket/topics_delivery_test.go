package socket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// What is promised of messages to topics and to everybody.

func TestTopicMessagesReachEveryDeviceInOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		two := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		var resumers []resumer
		for _, url := range []string{one.URL + "?user=ada", two.URL + "?user=ada", two.URL + "?user=bob"} {
			r := dialResumer(t, url)
			r.connect(nil)
			resumers = append(resumers, r)
		}
		plain := []*device{dial(t, one.URL+"?user=ada"), dial(t, two.URL+"?user=bob")}
		eve := dial(t, one.URL+"?user=eve")
		join(t, rdb, "room", "ada", "bob")
		const messages = 200
		senders := []context.Context{outside(rdb), outside(rdb)}
		for i := range messages { // from the moment of the join
			sendText(t, senders[i%2], Topic("room"), fmt.Sprint(i))
		}
		for _, r := range resumers {
			r.expectJoined("room")
			for i := range messages {
				r.expectText("#room", fmt.Sprint(i))
			}
		}
		for _, d := range plain {
			for i := range messages {
				d.expect(fmt.Sprint(i))
			}
		}
		later := dialResumer(t, one.URL+"?user=ada") // who has none of them, but what follows
		if hello := later.connect(nil); hello.At["#room"] == "" {
			t.Errorf("connected with %+v, want to be in the topic", hello)
		}
		sendText(t, senders[0], Topic("room"), "end")
		sendText(t, senders[0], To("eve"), "for eve")
		for _, r := range resumers {
			r.expectText("#room", "end")
		}
		for _, d := range plain {
			d.expect("end")
		}
		later.expectText("#room", "end")
		eve.expect("for eve")
	})
}

func TestATopicIsResumed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		two := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		dial(t, two.URL+"?user=ada") // who stays online
		r := dialResumer(t, one.URL+"?user=ada")
		at := r.connect(nil).At
		join(t, rdb, "room", "ada")
		at["#room"] = r.expectJoined("room")
		for turn := range 4 { // by turns on the two servers
			r.Close()
			for i := range 20 {
				sendText(t, ctx, Topic("room"), fmt.Sprint("missed ", i))
			}
			r = dialResumer(t, []string{two.URL, one.URL}[turn%2]+"?user=ada")
			if hello := r.connect(at); hello.Recovered == nil || !*hello.Recovered {
				t.Fatalf("connected with %+v", hello)
			}
			for i := range 20 {
				at["#room"] = r.expectText("#room", fmt.Sprint("missed ", i))
			}
			sendText(t, ctx, Topic("room"), "live")
			at["#room"] = r.expectText("#room", "live")
		}
		r.Close()
		for i := range 5 {
			sendText(t, ctx, Topic("small"), fmt.Sprint(i), Retain(3, time.Minute))
			sendText(t, ctx, Topic("room"), fmt.Sprint(i))
		}
		join(t, rdb, "small", "ada")
		again := dialResumer(t, one.URL+"?user=ada")
		if hello := again.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v, though nothing is lost of a topic joined meanwhile", hello)
		}
	})
}

func TestATopicOfWhichTooMuchWasMissed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		keeps, r := dial(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		join(t, rdb, "room", "ada")
		at["#room"] = r.expectJoined("room")
		r.Close()
		for i := range 5 {
			sendText(t, ctx, Topic("room"), fmt.Sprint(i), Retain(3, time.Minute))
			keeps.expect(fmt.Sprint(i)) // so the server has it
		}
		sendText(t, ctx, To("ada"), "kept")
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); *hello.Recovered || !slices.Equal(hello.Lost, []string{"#room"}) {
			t.Errorf("connected with %+v, want to have lost #room", hello)
		}
		again.expectText("", "kept") // another channel is not concerned
		sendText(t, ctx, Topic("room"), "live")
		again.expectText("#room", "live")
	})
}

// Memberships that change while a device is away.
func TestADeviceThatWasAwayFollowsItsUser(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		stays, r := dialResumer(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=ada")
		stays.connect(nil)
		at := r.connect(nil).At
		for _, topic := range []string{"left", "rejoined"} {
			join(t, rdb, topic, "ada")
			at[nameTopic+topic] = r.expectJoined(topic)
			sendText(t, ctx, Topic(topic), "before")
			at[nameTopic+topic] = r.expectText(nameTopic+topic, "before")
		}
		r.Close()
		sendText(t, ctx, Topic("joined"), "before the join")
		join(t, rdb, "joined", "ada")
		sendText(t, ctx, Topic("joined"), "after the join")
		leave(t, rdb, "left", "ada")
		sendText(t, ctx, Topic("left"), "after the end")
		leave(t, rdb, "rejoined", "ada")
		sendText(t, ctx, Topic("rejoined"), "in between")
		join(t, rdb, "rejoined", "ada")
		sendText(t, ctx, Topic("rejoined"), "after all")
		for joined, left := 0, 0; joined < 4 || left < 2; { // until the server knows
			switch m := stays.receive(); {
			case m.Joined != "":
				joined++
			case m.Left != "":
				left++
			}
		}
		again := dialResumer(t, s.URL+"?user=ada")
		hello := again.connect(at)
		if *hello.Recovered || !slices.Equal(hello.Lost, []string{"#left", "#rejoined"}) {
			t.Errorf("connected with %+v", hello)
		}
		if hello.At["#joined"] == "" || hello.At["#rejoined"] == "" || hello.At["#left"] != "" {
			t.Errorf("the channels are %v", hello.At)
		}
		got := map[string]string{}
		for range 2 {
			m := again.receive()
			if m.Text == nil {
				t.Fatalf("received %+v", m)
			}
			got[m.On] += *m.Text
		}
		if got["#joined"] != "after the join" || got["#rejoined"] != "after all" {
			t.Errorf("received %v", got)
		}
		sendText(t, ctx, To("ada"), "end")
		again.expectText("", "end")
	})
}

func TestTopicsOfAKilledServer(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		addr := rdb.Options().Addr
		one := start(t, "socket", addr, leaseVariable+"=2s")
		two := start(t, "socket", addr)
		ctx := outside(rdb)
		ada, bob := dialResumer(t, one.line+"?user=ada"), dialResumer(t, two.line+"?user=bob")
		at := ada.connect(nil).At
		bob.connect(nil)
		dialResumer(t, one.line+"?user=carol").connect(nil)
		join(t, rdb, "room", "ada", "bob", "carol")
		at["#room"] = ada.expectJoined("room")
		bob.expectJoined("room")
		redistest.Eventually(t, patience, "both servers in the directory", func() bool { return len(serversOf(t, rdb, "room")) == 2 })
		one.end(syscall.SIGKILL)
		sendText(t, ctx, Topic("room"), "to the living")
		bob.expectText("#room", "to the living")
		again := dialResumer(t, two.line+"?user=ada")
		if hello := again.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		again.expectText("#room", "to the living")
		leasesLeft(t, rdb, 1)
		expectMembers(t, rdb, "room", "ada", "bob")
		if n := len(serversOf(t, rdb, "room")); n != 1 {
			t.Errorf("%d servers in the directory, want one", n)
		}
		sendText(t, ctx, Topic("room"), "to both")
		bob.expectText("#room", "to both")
		again.expectText("#room", "to both")
	})
}

// A server whose lease was over registers its topics anew, and nothing is missed.
func TestTopicsOfAServerThatLostItsLease(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Lease: time.Second, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		join(t, rdb, "room", "ada")
		r.expectJoined("room")
		before := s.current().current.Load().server
		if err := rdb.ZRem(ctx, newKeyspace("").leases(), before).Err(); err != nil {
			t.Fatal(err)
		}
		sent := 0
		redistest.Eventually(t, patience, "the server to be in the directory anew", func() bool {
			sendText(t, ctx, Topic("room"), fmt.Sprint(sent), Retain(10_000, time.Minute))
			sent++
			now := serversOf(t, rdb, "room")
			return len(now) == 1 && now[0] != before
		})
		sendText(t, ctx, Topic("room"), fmt.Sprint(sent))
		for i := range sent + 1 {
			r.expectText("#room", fmt.Sprint(i))
		}
	})
}

func TestBroadcastReachesEverybodyInOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		h := Handlers{
			OnConnect: func(_ context.Context, r *http.Request) (*User, error) {
				switch user := r.URL.Query().Get("user"); user {
				case "":
					return Anonymous, nil
				case "later":
					return nil, nil
				default:
					return &User{ID: user}, nil
				}
			},
			Authenticate: byName,
		}
		one, two := serve(t, &Server{Redis: rdb, Handlers: h}), serve(t, &Server{Redis: rdb, Handlers: h})
		ctx := outside(rdb)
		plain := []*device{dial(t, one.URL), dial(t, one.URL+"?user=ada"), dial(t, two.URL), dial(t, two.URL+"?user=ada")}
		r := dialResumer(t, two.URL+"?user=bob")
		at := r.connect(nil).At
		late := dial(t, one.URL+"?user=later")
		const messages = 100
		for i := range messages {
			if err := Broadcast(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range messages {
			for _, d := range plain {
				d.expect(fmt.Sprint(i))
			}
			at[nameBroadcast] = r.expectText(nameBroadcast, fmt.Sprint(i))
		}
		late.say(`{"Name":"carol"}`) // who was not accepted receives nothing
		late.expect("hello carol")
		r.Close()
		if err := errors.Join(Broadcast(ctx, "missed"), Broadcast(ctx, []byte("bytes"))); err != nil {
			t.Fatal(err)
		}
		late.expect("missed")
		late.expect("bytes")
		again := dialResumer(t, one.URL+"?user=bob")
		if hello := again.connect(at); !*hello.Recovered {
			t.Errorf("connected with %+v", hello)
		}
		again.expectText(nameBroadcast, "missed")
		if m := again.receive(); m.On != nameBroadcast || m.At == "" {
			t.Errorf("received %+v, want the bytes", m)
		}
	})
}
