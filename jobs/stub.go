package jobs

// STUB: replaced while the package is built.

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
)

type Queue[T any] struct{ name string }

func NewQueue[T any](name string) *Queue[T] { return &Queue[T]{name} }
func (q *Queue[T]) Push(ctx context.Context, v T, opts ...PushOption) (string, error) {
	return "", nil
}
func (q *Queue[T]) PushMany(ctx context.Context, v []T, opts ...PushOption) ([]string, error) {
	return nil, nil
}
func (q *Queue[T]) Group(id string) Group[T] { return Group[T]{} }
func (q *Queue[T]) Handle(h func(context.Context, T) error, opts ...HandlerOption) Handler {
	return Handler{}
}
func (q *Queue[T]) HTTP() http.Handler { return nil }

type Group[T any] struct{}

func (g Group[T]) Dedupe(id string) Group[T] { return g }
func (g Group[T]) Push(ctx context.Context, v T, opts ...PushOption) (string, error) {
	return "", nil
}

type PushOption func()

func In(d time.Duration) PushOption     { return nil }
func At(t time.Time) PushOption         { return nil }
func ID(id string) PushOption           { return nil }
func Retain(d time.Duration) PushOption { return nil }
func Param(k, v string) PushOption      { return nil }

type HandlerOption func()

func Timeout(d time.Duration) HandlerOption                        { return nil }
func Retries(n int) HandlerOption                                  { return nil }
func Concurrency(n int) HandlerOption                              { return nil }
func Backoff(delay func(attempt int) time.Duration) HandlerOption { return nil }

type Handler struct{}

func (h Handler) Queue() string { return "" }

type Client struct {
	Prefix  string
	Handles []Handler
}

func NewClient(rdb redis.UniversalClient) *Client                       { return &Client{} }
func (c *Client) Context(ctx context.Context) context.Context { return context.WithValue(ctx, clientKey{}, c) }

type Worker struct {
	Redis    redis.UniversalClient
	Prefix   string
	Handlers []Handler
	Logger   *slog.Logger
	Drain    time.Duration
}

func (w *Worker) Run(ctx context.Context) error { <-ctx.Done(); return nil }
