package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// trap is an error of an application one of whose methods panics.
type trap struct{ method string }

func (e trap) spring(method string) {
	if e.method == method {
		panic(method)
	}
}

func (e trap) Error() string   { e.spring("Error"); return "a trap" }
func (e trap) Is(error) bool   { e.spring("Is"); return false }
func (e trap) As(any) bool     { e.spring("As"); return false }
func (e trap) Unwrap() error   { e.spring("Unwrap"); return nil }
func (e trap) Timeout() bool   { e.spring("Timeout"); return false }
func (e trap) Temporary() bool { return false }

// What is handed in may panic, or end its goroutine, wherever it is called.
func misbehaviours() map[string]func() error {
	all := map[string]func() error{
		"a panic":            func() error { panic("on purpose") },
		"a panic with a nil": func() error { panic((*textless)(nil)) },
		"Goexit":             func() error { runtime.Goexit(); return nil },
		"a nil pointer":      func() error { return (*textless)(nil) },
		"one that is joined": func() error { return errors.Join(io.EOF, (*textless)(nil)) },
	}
	for _, method := range []string{"Error", "Is", "As", "Unwrap", "Timeout"} {
		all["an error's "+method] = func() error { return trap{method} }
		all["a wrapped error's "+method] = func() error { return fmt.Errorf("wrapped: %w", trap{method}) }
	}
	return all
}

func TestUserCodeThatMisbehaves(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		all := misbehaviours()
		misbehave := func(what string) error {
			if do := all[what]; do != nil {
				return do()
			}
			return nil
		}
		s := serve(t, &Server{Redis: rdb, MaxConnections: 2, Handlers: Handlers{
			OnConnect: func(_ context.Context, r *http.Request) (*User, error) {
				return nil, misbehave(r.Header.Get("Misbehave"))
			},
			Authenticate: func(_ context.Context, m *Message) (*User, error) {
				return Anonymous, misbehave(string(m.Data))
			},
			OnMessage: Text(func(ctx context.Context, text string) error {
				if err := misbehave(text); err != nil {
					return err
				}
				return Reply(ctx, "well")
			}),
		}})
		for what := range all {
			// Places are not lost: there are two.
			_, resp, err := websocket.DefaultDialer.Dial(s.URL, http.Header{"Misbehave": {what}})
			if err == nil || resp == nil || resp.StatusCode < 400 {
				t.Fatalf("%s in OnConnect: %v, %v", what, resp, err)
			}
			d := dial(t, s.URL)
			d.say(what)
			if text := d.next(); !strings.HasPrefix(text, `{"error":`) {
				t.Errorf("%s in Authenticate: received %s", what, text)
			}
			if _, data, err := d.ReadMessage(); err == nil {
				t.Errorf("%s in Authenticate: received %s", what, data)
			}
			d = dial(t, s.URL)
			d.say("in")
			d.say(what)
			if text := d.next(); !strings.HasPrefix(text, `{"error":`) {
				t.Errorf("%s in OnMessage: received %s", what, text)
			}
			d.say("behave")
			d.expect("well")
			d.Close()
			redistest.Eventually(t, patience, "the places to be free", func() bool {
				h := s.current()
				h.mu.Lock()
				defer h.mu.Unlock()
				return h.opened == 0
			})
		}
	})
}

// mined is a value whose encoding panics or fails.
type mined struct{ err error }

func (m mined) MarshalJSON() ([]byte, error) {
	if m.err == nil {
		panic("on purpose")
	}
	return nil, m.err
}

func TestAValueThatCannotBeEncodedIsAnErrorOfSend(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := jobs.WithUserID(outside(rdb), "ada")
		for _, v := range []any{mined{}, mined{io.EOF}, mined{(*textless)(nil)}, map[string]any{"in a map": mined{}}, func() {}} {
			for what, err := range map[string]error{
				"Send": Send(ctx, v), "To": To("ada").Send(ctx, v), "Broadcast": Broadcast(ctx, v), "Reply": Reply(ctx, v),
			} {
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%T", v)) {
					t.Errorf("%s(%T): %v, want an error that names the type", what, v, err)
				}
			}
		}
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: Answer(func(context.Context, int) (any, error) { return mined{}, nil })}})
		d := dial(t, s.URL)
		d.say("1")
		if text := d.next(); !strings.Contains(text, "socket.mined") {
			t.Errorf("received %s", text)
		}
	})
}

func TestAClientIsToldSoMuchOfAnError(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		long := strings.Repeat("é", 4<<20)
		s := serve(t, &Server{Redis: rdb, Logger: quiet, Handlers: Handlers{OnMessage: Text(func(_ context.Context, text string) error {
			return errors.New(text + long)
		})}})
		d := dial(t, s.URL)
		for _, begin := range []string{"x", "xx", "xxx"} {
			d.say(begin)
			var told struct{ Error string }
			if err := json.Unmarshal([]byte(d.next()), &told); err != nil {
				t.Fatal(err)
			}
			if n := len(told.Error); n > maxReason || n < maxReason-5 || !strings.HasPrefix(told.Error, begin+"é") || !strings.HasSuffix(told.Error, "é…") || !utf8.ValidString(told.Error) {
				t.Errorf("told %d bytes: %.20s", n, told.Error)
			}
		}
	})
}
