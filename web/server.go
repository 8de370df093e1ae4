package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/jobs/rarely"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

// Limits of the HTTP server. There is no limit on the time that reading a whole body
// or writing an answer takes, but for the server's own paths: it would cut off sockets,
// streams and large uploads. See deadline.go.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	defaultDrain      = 10 * time.Second
)

// Server is the HTTP side of a program. Fill the fields and call Run.
type Server struct {
	// Listener is where requests come in. Run closes it. It is required.
	Listener net.Listener

	// Redis is what /readyz asks. It is required. It has one second to answer if the
	// client has ContextTimeoutEnabled, else the client's own time-outs.
	Redis redis.UniversalClient

	// Hosts are the names that requests may be for; those for other names are answered
	// with 403. IP addresses, localhost and names below localhost are always allowed, and
	// "*" stands for any name. Empty means any name. See CheckHosts.
	Hosts []string

	// App serves every request that is not for a path of the server itself. Nil
	// answers them with 404.
	App http.Handler

	// Authenticate says who makes a request to App. A nil user without an error,
	// or one without an ID, is nobody. An error refuses the request: with status
	// 401, or with the status and the reason of a *socket.Rejection. Nil means
	// that every request comes from nobody.
	Authenticate func(*http.Request) (*socket.User, error)

	// Socket serves /socket, usually a *socket.Server. Nil answers with 404. If it
	// has a method Ready() bool, as that one has, /readyz asks it too.
	Socket http.Handler

	// Dashboard serves /monitoring and everything below it, usually a *Dashboard.
	// Nil answers with 404.
	Dashboard http.Handler

	// Metrics serves /metrics, usually a *Metrics. Nil answers with 404.
	Metrics http.Handler

	// BodyTimeout is how long a client may take over each piece of a body that App
	// reads, and over what App leaves unread: after it reading fails and the connection
	// is closed. A handler that sets a deadline itself, with
	// http.ResponseController.SetReadDeadline, has that one alone. Zero means 30 seconds,
	// negative no limit.
	BodyTimeout time.Duration

	// ShutdownDelay is how long the server goes on as before when it is to stop,
	// with /readyz failing, so that load balancers notice and send nothing any more.
	// Zero means no time: /readyz then fails because nobody listens.
	ShutdownDelay time.Duration

	// Drain is how long requests that are in flight when the server stops may go on
	// before their connections are closed. Zero means 10 seconds.
	Drain time.Duration

	// Logger receives what goes wrong. Nil means slog.Default().
	Logger *slog.Logger

	stopping     atomic.Bool
	redisReady   readiness
	strangeHosts rarely.Log
}

// Run serves requests until ctx is done and ShutdownDelay has passed, then takes no
// more of them, waits up to Drain for those in flight, and returns nil. It returns an error when the listener
// fails, or one of Hosts cannot be meant.
//
// Requests carry the values of ctx, such as the jobs client and the socket sender,
// but do not end with it: one in flight may finish. Connections that became
// WebSockets are not waited for; the socket server closes those.
func (s *Server) Run(ctx context.Context) error {
	if err := CheckHosts(s.Hosts); err != nil {
		s.Listener.Close()
		return fmt.Errorf("web: Server.Hosts: %w", err)
	}
	base := context.WithoutCancel(ctx)
	server := &http.Server{
		Handler:           s.routes(),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.logger().Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.Listener) }()
	failed := func(err error) error {
		server.Close()
		return fmt.Errorf("serve HTTP on %s: %w", s.Listener.Addr(), err)
	}
	s.stopping.Store(false)
	select {
	case err := <-served:
		return failed(err)
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	select {
	case err := <-served:
		return failed(err)
	case <-time.After(s.ShutdownDelay):
	}
	s.shutdown(server)
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", s.Listener.Addr(), err)
	}
	return nil
}

func (s *Server) shutdown(server *http.Server) {
	drain := s.Drain
	if drain <= 0 {
		drain = defaultDrain
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		s.logger().Warn("closing HTTP requests that did not finish in time", "waited", drain)
		server.Close()
	}
}

func (s *Server) logger() *slog.Logger { return guard.Logger(s.Logger) }
