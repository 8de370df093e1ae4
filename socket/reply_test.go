package socket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket/client"
	"github.com/redis/go-redis/v9"
)

// What Reply and Answer promise.

// ask makes a request with a text.
func (r resumer) ask(id int, text string) {
	r.t.Helper()
	r.say(fmt.Sprintf(`{"id":%d,"text":%s}`, id, quote(text)))
}

// expectFrame receives exactly this frame.
func (r resumer) expectFrame(want string) {
	r.t.Helper()
	if got := r.nextFrame(); got != want {
		r.t.Fatalf("received %q, want %q", got, want)
	}
}

// asking returns two devices of ada, of which the first makes the requests, and
// one that is no client of Protocol.
func asking(t *testing.T, rdb *redis.Client, h Handlers) (r, other resumer, plain *device) {
	t.Helper()
	h.OnConnect = byQuery
	s := serve(t, &Server{Redis: rdb, Handlers: h})
	r, other = dialResumer(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=ada")
	r.connect(nil)
	other.connect(nil)
	return r, other, dial(t, s.URL+"?user=ada")
}

func TestARequestIsAnsweredOnItsConnectionOnly(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		r, other, plain := asking(t, rdb, Handlers{OnMessage: func(ctx context.Context, m *Message) error {
			switch string(m.Data) {
			case "text":
				return Reply(ctx, `a "text"`)
			case "bytes":
				return Reply(ctx, []byte{0, '\n', 0xff})
			case "json":
				return Reply(ctx, map[string]int{"n": 1})
			case "null":
				return Reply[any](ctx, nil)
			}
			return nil
		}})
		r.ask(1, "text")
		r.expectFrame(`{"id":1,"text":"a \"text\""}`)
		r.ask(2, "bytes")
		r.expectFrame("{\"id\":2}\n\x00\n\xff")
		r.ask(3, "json")
		r.expectFrame(`{"id":3,"data":{"n":1}}`)
		r.ask(4, "null")
		r.expectFrame(`{"id":4,"data":null}`)
		r.ask(5, "nothing")
		r.expectFrame(`{"id":5}`)
		r.ask(5, "text") // the ids are the client's
		r.expectFrame(`{"id":5,"text":"a \"text\""}`)
		r.say(`{"text":"text"}`) // no request
		r.expectFrame(`{"text":"a \"text\""}`)
		plain.say("text")
		plain.expect(`a "text"`)
		sendText(t, outside(rdb), To("ada"), "end")
		other.expectText("", "end") // and nothing before
		plain.expect("end")
		r.expectText("", "end")
	})
}

func TestARequestIsAnsweredOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		second, late := make(chan error, 1), make(chan context.Context, 1)
		r, _, plain := asking(t, rdb, Handlers{OnMessage: func(ctx context.Context, m *Message) error {
			switch string(m.Data) {
			case "twice":
				err := Reply(ctx, "first")
				second <- Reply(ctx, "second")
				return err
			case "wrong first":
				second <- Reply(ctx, func() {})
				return Reply(ctx, "right")
			case "later":
				late <- ctx
				return nil
			}
			return errors.Join(Reply(ctx, "done"), errors.New("and then failed"))
		}})
		r.ask(1, "twice")
		if err := <-second; !errors.Is(err, ErrReplied) {
			t.Errorf("the second Reply returned %v, want ErrReplied", err)
		}
		r.expectFrame(`{"id":1,"text":"first"}`)
		r.ask(2, "wrong first")
		if err := <-second; err == nil || errors.Is(err, ErrReplied) {
			t.Errorf("a Reply of what cannot be encoded returned %v", err)
		}
		r.expectFrame(`{"id":2,"text":"right"}`)
		r.ask(3, "later")
		r.expectFrame(`{"id":3}`)
		if err := Reply(<-late, "too late"); !errors.Is(err, ErrReplied) {
			t.Errorf("a Reply after the handler's end returned %v, want ErrReplied", err)
		}
		r.ask(4, "fails after all")
		r.expectFrame(`{"id":4,"text":"done"}`)
		r.expectFrame(`{"error":"and then failed"}`)
		// Without a request each is a message.
		r.say(`{"text":"twice"}`)
		r.expectFrame(`{"text":"first"}`)
		r.expectFrame(`{"text":"second"}`)
		plain.say("twice")
		plain.expect("first")
		plain.expect("second")
		for range 2 {
			if err := <-second; err != nil {
				t.Errorf("a second Reply to who did not make a request returned %v", err)
			}
		}
	})
}

func TestARequestIsAnsweredWithAnError(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		told, released := make(chan struct{}), make(chan error, 1)
		r, _, plain := asking(t, rdb, Handlers{Timeout: 300 * time.Millisecond, OnMessage: func(ctx context.Context, m *Message) error {
			switch string(m.Data) {
			case "fail":
				return errors.New("no luck")
			case "reject":
				return fmt.Errorf("internals: %w", Reject(403, "not for you"))
			case "panic":
				panic("secret")
			case "hang":
				<-told // of the time-out, while the handler still runs
				released <- Reply(ctx, "late")
				return nil
			}
			return Reply(ctx, "well")
		}})
		const timedOut = "timed out after 300ms"
		for i, test := range [][2]string{{"fail", "no luck"}, {"reject", "not for you"}, {"panic", "internal error"}} {
			r.ask(i+1, test[0])
			r.expectFrame(fmt.Sprintf(`{"id":%d,"error":%s}`, i+1, quote(test[1])))
			r.say(`{"text":"` + test[0] + `"}`)
			r.expectFrame(`{"error":` + quote(test[1]) + `}`)
			plain.say(test[0])
			plain.expect(`{"error":` + quote(test[1]) + `}`)
		}
		r.ask(7, "hang")
		r.ask(8, "next")
		r.expectFrame(`{"id":7,"error":` + quote(timedOut) + `}`)
		close(told)
		if err := <-released; !errors.Is(err, ErrReplied) {
			t.Errorf("a Reply after the time-out returned %v, want ErrReplied", err)
		}
		r.expectFrame(`{"id":8,"text":"well"}`)
	})
}

func TestARequestWithoutAHandlerIsAnsweredWithAnError(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		r, _, _ := asking(t, rdb, Handlers{})
		r.ask(1, "hello")
		r.expectFrame(`{"id":1,"error":"messages are not accepted here"}`)
	})
}

func TestARequestMayAuthenticate(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{Authenticate: func(ctx context.Context, m *Message) (*User, error) {
			switch string(m.Data) {
			case "more":
				return nil, Reply(ctx, "go on")
			case "ada":
				return &User{ID: "ada"}, nil
			}
			return nil, errors.New("unknown")
		}}})
		r := dialResumer(t, s.URL)
		r.say(`{"connect":{},"id":1,"text":"more"}`)
		r.expectFrame(`{"id":1,"text":"go on"}`)
		r.ask(2, "ada")
		if hello := r.connected(); hello.User != "ada" {
			t.Errorf("connected with %+v", hello)
		}
		r.expectFrame(`{"id":2}`)
		r = dialResumer(t, s.URL)
		r.say(`{"connect":{},"id":1,"text":"eve"}`)
		r.expectFrame(`{"id":1,"error":"unknown"}`)
		r.expectClose(CloseUnauthorized)
	})
}

// It waits for a reply whoever decides.
func TestARequestInTheFirstFrameIsAnsweredThoughOnConnectDecided(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for _, h := range []Handlers{{OnConnect: byQuery, Authenticate: byName}, {OnConnect: byQuery}, {}} {
			s := serve(t, &Server{Redis: rdb, Handlers: h})
			r := dialResumer(t, s.URL+"?user=ada")
			r.say(`{"connect":{},"id":7,"data":{"Name":"eve"}}`)
			if hello := r.connected(); hello.User != "ada" && h.OnConnect != nil {
				t.Errorf("connected with %+v", hello)
			}
			r.expectFrame(`{"id":7}`)
			r.say(`{"id":8,"text":"x"}`)
			r.expectFrame(`{"id":8,"error":"messages are not accepted here"}`)
		}
	})
}

// To one connection everything goes in the order in which it was said.
func TestRepliesAndSendsToAConnectionAreInOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const turns = 100
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: Text(func(ctx context.Context, text string) error {
			if err := errors.Join(Send(ctx, text+" begins"), Reply(ctx, text), Send(ctx, text+" ends")); err != nil {
				return err
			}
			return errors.New(text + " failed")
		})}})
		r, plain := dialResumer(t, s.URL), dial(t, s.URL)
		r.connect(nil)
		for i := range turns {
			r.ask(i+1, fmt.Sprint(i))
			plain.say(fmt.Sprint(i))
		}
		for i := range turns {
			r.expectFrame(fmt.Sprintf(`{"text":"%d begins"}`, i))
			r.expectFrame(fmt.Sprintf(`{"id":%d,"text":"%d"}`, i+1, i))
			r.expectFrame(fmt.Sprintf(`{"text":"%d ends"}`, i))
			r.expectFrame(fmt.Sprintf(`{"error":"%d failed"}`, i))
			for _, want := range []string{"%d begins", "%d", "%d ends", `{"error":"%d failed"}`} {
				plain.expect(fmt.Sprintf(want, i))
			}
		}
	})
}

func TestAReplyToWhoIsGone(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		begun, gone, replied := make(chan struct{}), make(chan struct{}), make(chan error)
		r, _, plain := asking(t, rdb, Handlers{OnMessage: func(ctx context.Context, m *Message) error {
			begun <- struct{}{}
			<-gone
			redistest.Eventually(t, patience, "the connection to end", func() bool {
				c := connectionFrom(ctx)
				c.mu.Lock()
				defer c.mu.Unlock()
				return c.ended
			})
			replied <- Reply(ctx, "for nobody")
			return nil
		}})
		r.ask(1, "x")
		<-begun
		r.Close()
		gone <- struct{}{}
		if err := <-replied; !errors.Is(err, ErrClosed) {
			t.Errorf("Reply to a request returned %v, want ErrClosed", err)
		}
		plain.say("x")
		<-begun
		plain.Close()
		gone <- struct{}{}
		if err := <-replied; !errors.Is(err, ErrClosed) {
			t.Errorf("Reply to a plain client returned %v, want ErrClosed", err)
		}
	})
}

func TestReplyWithNobodyToReplyTo(t *testing.T) {
	rdb := redistest.Embedded(t)
	refused := make(chan error, 1)
	s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
		OnConnect: byQuery,
		OnOnline:  func(ctx context.Context, _ string) error { refused <- Reply(ctx, "x"); return nil },
	}})
	if err := Reply(outside(rdb), "x"); !errors.Is(err, ErrNobody) {
		t.Errorf("outside: %v, want ErrNobody", err)
	}
	if err := Reply(context.Background(), "x"); !errors.Is(err, ErrNobody) {
		t.Errorf("with a bare context: %v, want ErrNobody", err)
	}
	o := newOffice(t, rdb)
	dial(t, s.URL+"?user=ada")
	o.openWith(s.Handlers.Presence(rdb, ""))
	if err := <-refused; !errors.Is(err, ErrNobody) {
		t.Errorf("in OnOnline: %v, want ErrNobody", err)
	}
}

func TestAnswerRepliesWithItsResult(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		type sum struct{ A, B int }
		calls := 0
		r, _, plain := asking(t, rdb, Handlers{OnMessage: Answer(func(_ context.Context, in sum) (map[string]int, error) {
			if calls++; in.A < 0 {
				return map[string]int{"sum": 0}, errors.New("too small")
			}
			return map[string]int{"sum": in.A + in.B}, nil
		})})
		r.say(`{"id":1,"data":{"A":1,"B":2}}`)
		r.expectFrame(`{"id":1,"data":{"sum":3}}`)
		r.say(`{"id":2,"data":{"A":-1}}`)
		r.expectFrame(`{"id":2,"error":"too small"}`)
		r.say(`{"id":3,"data":"no sum"}`)
		if m := r.receive(); m.ID != 3 || !strings.HasPrefix(m.Error, ErrBadMessage.Error()) {
			t.Errorf("received %+v, want an error about the message", m)
		}
		if calls != 2 {
			t.Errorf("the function was called %d times, want twice", calls)
		}
		plain.say(`{"A":3,"B":4}`)
		plain.expect(`{"sum":7}`)
	})
}

// The client's requests find their replies whatever comes in between.
func TestRequestsOfTheClient(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery,
			OnMessage: func(ctx context.Context, m *Message) error {
				if string(m.Data) == "fail" {
					return errors.New("no luck")
				}
				return errors.Join(Send(ctx, "noise"), Reply(ctx, "re: "+string(m.Data)))
			}}})
		c := &client.Client{URL: s.URL + "?user=ada", Logger: quiet}
		runClient(t, c)
		ctx := t.Context()
		answers := make(chan error, 50)
		for i := range cap(answers) {
			go func() {
				m, err := c.Request(ctx, fmt.Sprint(i))
				if want := fmt.Sprint("re: ", i); err == nil && m.String() != want {
					err = fmt.Errorf("%q, want %q", m, want)
				}
				answers <- err
			}()
		}
		for range cap(answers) {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		var said *client.ServerError
		if _, err := c.Request(ctx, "fail"); !errors.As(err, &said) || said.Reason != "no luck" {
			t.Errorf("a request that fails: %v", err)
		}
		if m, err := c.Request(ctx, []byte("x")); err != nil || m.String() != "re: x" {
			t.Errorf("a request after all that: %q, %v", m, err)
		}
		slow := serve(t, &Server{Redis: rdb, Handlers: Handlers{Timeout: 20 * time.Millisecond,
			OnMessage: func(ctx context.Context, _ *Message) error { <-ctx.Done(); return nil }}})
		c = &client.Client{URL: slow.URL, Logger: quiet}
		runClient(t, c)
		if _, err := c.Request(ctx, "hang"); !errors.As(err, &said) || said.Reason != "timed out after 20ms" {
			t.Errorf("a request that takes too long: %v", err)
		}
	})
}

// A message in a language that the server does not speak with this client.
func TestAPlainClientMakesNoRequests(t *testing.T) {
	s := serve(t, &Server{Redis: redistest.Embedded(t), Handlers: Handlers{OnMessage: func(ctx context.Context, m *Message) error {
		return Reply(ctx, "got "+string(m.Data))
	}}})
	d := dial(t, s.URL)
	d.say(`{"id":7,"data":1}`)
	d.expect(`got {"id":7,"data":1}`)
	d.say(`{"ack":"x"}`)
	d.expect(`got {"ack":"x"}`)
	if err := d.WriteMessage(websocket.BinaryMessage, []byte("{\"id\":7}\nx")); err != nil {
		t.Fatal(err)
	}
	d.expect("got {\"id\":7}\nx")
}
