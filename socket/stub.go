package socket

// STUB: replaced while the package is built.

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/redis/go-redis/v9"
)

type User struct {
	ID   string
	Data any
}

var Anonymous = &User{}

type Message struct {
	Connection, RequestID string
	User                  *User
	Data                  []byte
}

func (m *Message) Decode(v any) error { return nil }

type Handlers struct {
	OnConnect           func(context.Context, *http.Request) (*User, error)
	Authenticate        func(context.Context, *Message) (*User, error)
	OnMessage           func(context.Context, *Message) error
	OnOnline, OnOffline func(ctx context.Context, userID string) error
	Timeout             time.Duration
}

// Presence is the handler of the built-in queue that runs OnOnline and OnOffline; workers handle it.
func (h Handlers) Presence(rdb redis.UniversalClient, prefix string) jobs.Handler { return jobs.Handler{} }

type SendOption func()

func Send[T any](ctx context.Context, v T, opts ...SendOption) error { return nil }

type Recipients struct{}

func To(userIDs ...string) Recipients                                                { return Recipients{} }
func (r Recipients) Send(ctx context.Context, v any, opts ...SendOption) error { return nil }
func IsOnline(ctx context.Context, userID string) (bool, error)                      { return false, nil }
func Close(ctx context.Context) error                                                { return nil }
func JSON[T any](h func(context.Context, T) error) func(context.Context, *Message) error {
	return nil
}
func Text(h func(context.Context, string) error) func(context.Context, *Message) error   { return nil }
func Binary(h func(context.Context, []byte) error) func(context.Context, *Message) error { return nil }
func FromContext(ctx context.Context) (*Message, bool)                                   { return nil, false }

// Rejection is the error that Reject returns; errors.As finds it.
type Rejection struct {
	Status int
	Reason string
}

func (r *Rejection) Error() string            { return r.Reason }
func Reject(status int, reason string) error { return &Rejection{status, reason} }

type Sender struct{ Prefix string }

func NewSender(rdb redis.UniversalClient) *Sender                       { return &Sender{} }
func (s *Sender) Context(ctx context.Context) context.Context { return ctx }

// Server holds the connections of one process. Mount it as an http.Handler and call Run.
type Server struct {
	Redis    redis.UniversalClient
	Prefix   string
	Handlers Handlers
	Jobs     *jobs.Client // pushes presence jobs, and what handlers push
	Origins  []string     // besides the request's own host
	Logger   *slog.Logger
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {}
func (s *Server) Run(ctx context.Context) error                    { <-ctx.Done(); return nil }

// Reaper takes over what servers that died left behind; every worker runs one, a Server runs its own.
type Reaper struct {
	Redis  redis.UniversalClient
	Prefix string
	Jobs   *jobs.Client
	Logger *slog.Logger
}

func (r *Reaper) Run(ctx context.Context) error { <-ctx.Done(); return nil }
