package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/socket"
)

// serve is a program with the role "socket" whose clients say who they are in
// the query: /socket?user=N.
func serve(ctx context.Context, args []string, _, stderr io.Writer) error {
	fs := newFlags("bench serve", "Accepts connections at /socket?user=N until it is stopped.", stderr)
	addr := fs.String("addr", "127.0.0.1:7101", "`address` to listen on")
	redisAddr := fs.String("redis", "127.0.0.1:6379", "`address` of Redis")
	presence := fs.Bool("presence", false, "push a job when a user comes or goes, which nobody runs")
	pprof := fs.String("pprof", "", "`address` to serve profiles on, at /debug/pprof/")
	if err := parse(fs, args); err != nil {
		return err
	}
	app := cmd.App{
		Socket:   socket.Handlers{OnConnect: byQuery},
		RedisURL: "redis://" + *redisAddr,
		Addr:     *addr,
		Logger:   slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if *presence {
		app.Socket.OnOnline = func(context.Context, string) error { return nil }
		app.Socket.OnOffline = app.Socket.OnOnline
	}
	return withPprof(ctx, *pprof, func(ctx context.Context) error { return app.Run(ctx, cmd.Socket) })
}

func byQuery(_ context.Context, r *http.Request) (*socket.User, error) {
	user := r.URL.Query().Get("user")
	if user == "" {
		return nil, socket.Reject(http.StatusUnauthorized, "no user in the query")
	}
	return &socket.User{ID: user}, nil
}
