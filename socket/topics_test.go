package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// What Join, Leave, Members and Topic promise of who is in a topic.

// as is outside for a user.
func as(rdb redis.UniversalClient, user string) context.Context {
	return jobs.WithUserID(outside(rdb), user)
}

func join(t testing.TB, rdb redis.UniversalClient, topic string, users ...string) {
	t.Helper()
	for _, user := range users {
		if err := Join(as(rdb, user), topic); err != nil {
			t.Fatal(err)
		}
	}
}

func leave(t testing.TB, rdb redis.UniversalClient, topic, user string) {
	t.Helper()
	if err := Leave(as(rdb, user), topic); err != nil {
		t.Fatal(err)
	}
}

func members(t testing.TB, rdb redis.UniversalClient, topic string) []string {
	t.Helper()
	users, err := Members(outside(rdb), topic)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(users)
	return users
}

func expectMembers(t testing.TB, rdb redis.UniversalClient, topic string, want ...string) {
	t.Helper()
	redistest.Eventually(t, 3*patience, fmt.Sprintf("the members of %s to be %q", topic, want), func() bool {
		return slices.Equal(members(t, rdb, topic), want)
	})
}

// serversOf returns which servers are in the directory of a topic.
func serversOf(t testing.TB, rdb redis.UniversalClient, topic string) []string {
	t.Helper()
	ctx, k, ch := context.Background(), newKeyspace(""), topicChannel(topic)
	pipe := rdb.TxPipeline()
	directory, state := pipe.HKeys(ctx, k.servers(ch)), pipe.Get(ctx, k.state(ch)) // which is where sends read them
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		t.Fatal(err)
	}
	servers, routed := directory.Val(), strings.Fields(state.Val())
	if len(routed) > 0 {
		routed = routed[1:]
	}
	slices.Sort(servers)
	slices.Sort(routed)
	if !slices.Equal(servers, routed) {
		t.Errorf("the directory of %s has %q, and its state %q", topic, servers, routed)
	}
	return servers
}

// expectJoined is told of a topic, and returns the position.
func (r resumer) expectJoined(topic string) string {
	r.t.Helper()
	m := r.receive()
	if m.Joined != nameTopic+topic || m.At == "" {
		r.t.Fatalf("received %+v, want to be told of the topic %q", m, topic)
	}
	return m.At
}

func (r resumer) expectLeft(topic string) {
	r.t.Helper()
	if m := r.receive(); m.Left != nameTopic+topic {
		r.t.Fatalf("received %+v, want to be told that the topic %q is left", m, topic)
	}
}

func TestATopicIsLeft(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		ada, bob := dialResumer(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=bob")
		ada.connect(nil)
		bob.connect(nil)
		join(t, rdb, "room", "ada", "bob", "ada") // twice is once
		if got := members(t, rdb, "room"); !slices.Equal(got, []string{"ada", "bob"}) {
			t.Errorf("members %q", got)
		}
		ada.expectJoined("room")
		bob.expectJoined("room")
		sendText(t, ctx, Topic("room"), "both")
		ada.expectText("#room", "both")
		bob.expectText("#room", "both")
		leave(t, rdb, "room", "ada")
		ada.expectLeft("room")
		leave(t, rdb, "room", "ada") // who is not in it leaves it as well
		leave(t, rdb, "hall", "ada")
		sendText(t, ctx, Topic("room"), "bob only")
		bob.expectText("#room", "bob only")
		sendText(t, ctx, To("ada"), "end")
		ada.expectText("", "end")
		if got := members(t, rdb, "room"); !slices.Equal(got, []string{"bob"}) {
			t.Errorf("members %q after ada left", got)
		}
		join(t, rdb, "room", "ada")
		ada.expectJoined("room")
		sendText(t, ctx, Topic("room"), "both again")
		ada.expectText("#room", "both again")
		bob.expectText("#room", "both again")
	})
}

// With its last member a server leaves the topic's directory.
func TestATopicsDirectory(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		two := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		ada := dialResumer(t, one.URL+"?user=ada")
		ada.connect(nil)
		bob, carol := dialResumer(t, two.URL+"?user=bob"), dialResumer(t, two.URL+"?user=carol")
		bob.connect(nil)
		carol.connect(nil)
		directory := func(want ...*running) {
			t.Helper()
			var names []string
			for _, s := range want {
				names = append(names, s.current().current.Load().server)
			}
			slices.Sort(names)
			redistest.Eventually(t, patience, fmt.Sprint(len(want), " servers in the directory"), func() bool {
				return slices.Equal(serversOf(t, rdb, "room"), names)
			})
		}
		directory()
		join(t, rdb, "room", "ada", "bob", "carol")
		for _, r := range []resumer{ada, bob, carol} {
			r.expectJoined("room")
		}
		directory(one, two)
		leave(t, rdb, "room", "bob")
		bob.expectLeft("room")
		sendText(t, outside(rdb), Topic("room"), "to the rest")
		carol.expectText("#room", "to the rest")
		directory(one, two)
		leave(t, rdb, "room", "carol")
		carol.expectLeft("room")
		directory(one)
		ada.Close()
		directory()
	})
}

func TestWhoIsOfflineIsInNoTopic(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		ada, bob := dialResumer(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=bob")
		at := ada.connect(nil).At
		bob.connect(nil)
		join(t, rdb, "room", "ada", "bob")
		join(t, rdb, "hall", "ada")
		at["#room"] = ada.expectJoined("room")
		at["#hall"] = ada.expectJoined("hall")
		bob.expectJoined("room")
		ada.Close()
		expectMembers(t, rdb, "room", "bob")
		expectMembers(t, rdb, "hall")
		if n := rdb.Exists(ctx, newKeyspace("").topics("ada")).Val(); n > 0 {
			t.Error("the topics of a user who is offline are kept")
		}
		if err := Join(as(rdb, "ada"), "room"); !errors.Is(err, ErrOffline) {
			t.Errorf("Join of a user who is offline: %v, want ErrOffline", err)
		}
		expectMembers(t, rdb, "room", "bob")
		sendText(t, ctx, Topic("room"), "without ada")
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); *hello.Recovered || !slices.Equal(hello.Lost, []string{"#hall", "#room"}) {
			t.Errorf("connected with %+v, want to have lost the topics", hello)
		}
		sendText(t, ctx, Topic("room"), "without ada again")
		sendText(t, ctx, To("ada"), "end")
		again.expectText("", "end")
	})
}

// Whatever happens between the steps of a Join, and if its process then dies: who is
// offline is in no topic.
func TestAJoinThatWasOvertaken(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		for _, step := range []script{memberScript, completeJoinScript} {
			d := dialResumer(t, s.URL+"?user=ada")
			d.connect(nil)
			died := false
			dying := intercepted(t, rdb, func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
				switch {
				case runs(cmd, step): // once or, for a Redis that does not know the script, twice
					d.Close()
					redistest.Eventually(t, patience, "ada to be in no server's set", func() bool {
						return rdb.Exists(ctx, newKeyspace("").users(s.current().current.Load().server)).Val() == 0
					})
					died = true
				case died:
					cmd.SetErr(refusal("the process has died"))
					return cmd.Err()
				}
				return next(ctx, cmd)
			})
			if err := Join(as(dying, "ada"), "room"); err == nil {
				t.Error("Join of a process that died returned nil")
			}
			if got := members(t, rdb, "room"); len(got) > 0 {
				t.Errorf("members %q, want none", got)
			}
			again := dialResumer(t, s.URL+"?user=ada") // who may join anew
			again.connect(nil)
			join(t, rdb, "room", "ada")
			again.expectJoined("room")
			if got := members(t, rdb, "room"); !slices.Equal(got, []string{"ada"}) {
				t.Errorf("members %q, want ada", got)
			}
			again.Close()
			expectMembers(t, rdb, "room")
			redistest.Eventually(t, patience, "ada to be offline", func() bool { return !online(t, outside(rdb), "ada") })
		}
	})
}

func TestOnOnlineMayJoin(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		h := Handlers{OnConnect: byQuery, OnOnline: func(ctx context.Context, _ string) error { return Join(ctx, "room") }}
		s := serve(t, &Server{Redis: rdb, Handlers: h})
		newOffice(t, rdb).openWith(h.Presence(rdb, ""))
		ada := dialResumer(t, s.URL+"?user=ada")
		if hello := ada.connect(nil); hello.At["#room"] == "" { // or the worker was faster
			ada.expectJoined("room")
		}
		if got := members(t, rdb, "room"); !slices.Equal(got, []string{"ada"}) {
			t.Errorf("members %q", got)
		}
	})
}

// A connection without a user is in a topic by itself, until it ends.
func TestAConnectionWithoutAUserJoins(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: Text(func(ctx context.Context, text string) error {
			switch text {
			case "join":
				return Join(ctx, "room")
			case "leave":
				return Leave(ctx, "room")
			}
			return Send(ctx, text)
		})}})
		ctx := outside(rdb)
		plain, r := dial(t, s.URL), dialResumer(t, s.URL)
		r.connect(nil)
		for range 2 { // the second time nothing happens
			plain.say("join")
			r.ask(1, "join")
		}
		r.expectJoined("room")
		r.expectFrame(`{"id":1}`)
		r.expectFrame(`{"id":1}`)
		plain.say("joined")
		plain.expect("joined")
		sendText(t, ctx, Topic("room"), "hello")
		r.expectText("#room", "hello")
		plain.expect("hello")
		if got := members(t, rdb, "room"); len(got) > 0 {
			t.Errorf("members %q, want none", got)
		}
		plain.say("leave")
		plain.say("left")
		plain.expect("left")
		sendText(t, ctx, Topic("room"), "one of them")
		r.expectText("#room", "one of them")
		plain.say("end")
		plain.expect("end")
		r.ask(2, "leave")
		r.expectLeft("room")
		r.expectFrame(`{"id":2}`)
		r.ask(3, "join")
		r.expectJoined("room")
		r.Close()
		redistest.Eventually(t, patience, "the topic to have no server", func() bool { return len(serversOf(t, rdb, "room")) == 0 })
	})
}

func TestTopicsWithWrongNames(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		ctx := as(rdb, "ada")
		for _, name := range []string{"", strings.Repeat("x", maxTopic+1), "\xff", "room\xc3"} {
			_, err := Members(ctx, name)
			for what, err := range map[string]error{
				"Join": Join(ctx, name), "Leave": Leave(ctx, name), "Members": err, "Send": Topic(name).Send(ctx, "x"),
			} {
				if !errors.Is(err, ErrTopic) {
					t.Errorf("%s of %.10q: %v, want ErrTopic", what, name, err)
				}
			}
		}
		for _, name := range []string{"{room}", "}{", "a:b", "*", "#", "%7B", "ü ö\n\x00", strings.Repeat("x", maxTopic)} {
			join(t, rdb, name, "ada")
			r.expectJoined(name)
			sendText(t, ctx, Topic(name), "in "+name)
			r.expectText(nameTopic+name, "in "+name)
			if got := members(t, rdb, name); !slices.Equal(got, []string{"ada"}) {
				t.Errorf("members of %q: %q", name, got)
			}
			leave(t, rdb, name, "ada")
			r.expectLeft(name)
		}
	})
}

func TestJoinOfNobody(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for _, f := range []func(context.Context, string) error{Join, Leave} {
			if err := f(outside(rdb), "room"); !errors.Is(err, ErrNobody) {
				t.Errorf("without a user: %v, want ErrNobody", err)
			}
			if err := f(context.Background(), "room"); !errors.Is(err, ErrNoSender) {
				t.Errorf("without a sender: %v, want ErrNoSender", err)
			}
		}
		if _, err := Members(context.Background(), "room"); !errors.Is(err, ErrNoSender) {
			t.Errorf("Members without a sender: %v, want ErrNoSender", err)
		}
		if err := Join(as(rdb, "stranger"), "room"); !errors.Is(err, ErrOffline) {
			t.Errorf("of a stranger: %v, want ErrOffline", err)
		}
		early := make(chan error, 1)
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{Authenticate: func(ctx context.Context, m *Message) (*User, error) {
			early <- Join(ctx, "room")
			return byName(ctx, m)
		}}})
		dialAs(t, s, "ada")
		if err := <-early; !errors.Is(err, ErrOffline) {
			t.Errorf("in Authenticate: %v, want ErrOffline", err)
		}
		if got := members(t, rdb, "room"); len(got) > 0 {
			t.Errorf("members %q, want none", got)
		}
	})
}

func TestAUserInManyTopics(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const topics = 50
		s := serve(t, &Server{Redis: rdb, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		ctx := outside(rdb)
		keeps, r := dial(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		name := func(i int) string { return fmt.Sprint("room ", i) }
		for i := range topics {
			join(t, rdb, name(i), "ada")
			at[nameTopic+name(i)] = r.expectJoined(name(i))
		}
		r.Close()
		for i := range topics {
			sendText(t, ctx, Topic(name(i)), "missed in "+name(i))
			keeps.expect("missed in " + name(i))
		}
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); !*hello.Recovered || len(hello.At) != topics+2 {
			t.Errorf("connected with %+v", hello)
		}
		got := map[string]bool{}
		for range topics {
			m := again.receive()
			if m.Text == nil || *m.Text != "missed in "+strings.TrimPrefix(m.On, nameTopic) {
				t.Fatalf("received %+v", m)
			}
			got[m.On] = true
		}
		if len(got) != topics {
			t.Errorf("messages of %d topics, want %d", len(got), topics)
		}
		again.Close()
		keeps.Close()
		for i := range topics {
			expectMembers(t, rdb, name(i))
		}
		redistest.Eventually(t, patience, "the server to leave the topics", func() bool {
			return rdb.SCard(ctx, newKeyspace("").follows(s.current().current.Load().server)).Val() == 0
		})
	})
}
