package socket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

// Defaults of a Server's limits.
const (
	DefaultMaxMessage   = 64 << 10 // bytes
	DefaultMaxQueued    = 1 << 20  // bytes
	DefaultPingInterval = 25 * time.Second
	DefaultPongTimeout  = 10 * time.Second
	DefaultWriteTimeout = 10 * time.Second
	DefaultAuthTimeout  = 10 * time.Second
	DefaultDrain        = 15 * time.Second

	DefaultMaxUnauthenticated = 128 << 20 // bytes
)

// Server holds the WebSocket connections of one process. It is an http.Handler,
// to be mounted where clients connect, that answers 503 unless Run is running.
// Set the fields before Run. A field that is left at zero has its default; one
// that is negative has it too, unless it says something else. No time may be longer
// than a year of 365 days.
type Server struct {
	// Redis is what connects the servers and senders of the application.
	// Required; Redis 7.0 or later.
	Redis redis.UniversalClient
	// Prefix keeps applications on one Redis apart, as in Sender.
	Prefix string
	// Handlers is what the application does with the connections.
	Handlers Handlers
	// Jobs pushes presence jobs and is what the handlers' contexts push with.
	// nil means a new client on Redis. A client must have the handler that
	// Handlers.Presence returns among its Handles, or nobody can connect until a
	// worker has run.
	Jobs *jobs.Client
	// Origins lists the origins, besides the request's own, whose pages may
	// connect: "https://app.example.com", or "*" for every origin. Programs that
	// are not browsers send no origin and may always connect. The request's own has its
	// host and port; one with http:// is not that of a request with TLS, which a proxy that
	// ends it has to say in X-Forwarded-Proto or Forwarded. See CheckOrigins.
	Origins []string
	// Logger is told of what goes wrong. nil means slog.Default().
	Logger *slog.Logger

	// MaxMessage is the size in bytes of the largest message a client may send;
	// a larger one closes the connection with CloseTooBig. It is at most 512 MiB. In clients of Protocol it
	// bounds whole frames, but for the first, in which it bounds what Authenticate
	// is given: that frame may be larger by 1 MiB, for positions.
	MaxMessage int64
	// MaxRate is how many messages a client may send in a second, on average, and
	// MaxBurst how many it may send at once, by default as many as in a second and at
	// least one. Pings count, and so do pongs that nobody asked for, and each part of a
	// message, but the last, that has less than 1 KiB. The server reads no faster than that: a
	// network that stalls delivers at once what was sent in time, and then messages
	// wait. A client that does not stop is closed with CloseTooFast, when its
	// messages have waited for PingInterval and PongTimeout in all and the server
	// never caught up. Clients of Protocol are told and wait, also with what they have
	// buffered when they come back; the libraries use three quarters of the burst
	// and nine tenths of the rate. Time in which a handler kept the server from
	// reading counts for the client. 0 means no limit. Run refuses a limit below one
	// message in a PingInterval, since clients of Protocol have to send that much, and
	// either above 1,000,000.
	MaxRate  float64
	MaxBurst int
	// MaxQueued is how many bytes may wait to be written to one connection, with
	// 64 for each message besides; more close it with CloseSlow. One message of
	// any size may wait.
	MaxQueued int
	// Compress is from how many bytes on a message is compressed for clients that
	// negotiate permessage-deflate. It is compressed once, whoever receives it. 0
	// means never, and permessage-deflate is not negotiated: it saves traffic and
	// costs processor time.
	Compress int
	// PingInterval is how often a connection is pinged. One that is not heard for
	// PingInterval and PongTimeout after a ping is dropped, so a dead one is gone
	// after two intervals and PongTimeout at most.
	PingInterval time.Duration
	PongTimeout  time.Duration
	// WriteTimeout is how long a client may take nothing of what is to be written
	// to it until it is dropped.
	WriteTimeout time.Duration
	// AuthTimeout is how long a client has to authenticate, from the moment of
	// the upgrade. What the server takes meanwhile, for Authenticate and to
	// register the user and the topics, does not count.
	AuthTimeout time.Duration
	// MaxConnections is how many connections the server takes at a time, those
	// that are not authenticated yet included; more are answered with 503. 0 means
	// any number.
	MaxConnections int
	// MaxUnauthenticated is how many bytes all connections that are not authenticated
	// may hold together: 4 KiB for being there, what they have sent and what waits for
	// them. Those of OnConnect's users count until it has returned; of anonymous ones
	// only their messages count, until these are handled. When there is no room, a
	// request is answered with 503, and a connection that sends more is closed with
	// CloseTryLater. The default is DefaultMaxUnauthenticated, or eight times
	// MaxMessage if that is more.
	MaxUnauthenticated int64
	// MaxPerUser is how many connections a user may have at a time, on all servers
	// together: one more is answered with 429 when OnConnect said who the user is,
	// and else closed with CloseTooMany. Those of a server that was killed count
	// until it is reaped. 0 means any number, and saves Redis from being told of
	// every connection instead of each user's first and last; so all servers of an
	// application must have it, or none.
	MaxPerUser int

	// Lease is how long the other servers and the workers wait for a sign of
	// life of this one until they declare its users disconnected, at least 10 ms.
	Lease time.Duration
	// OfflineAfter is how long a user whose last connection broke, or whose server
	// was stopped or killed, counts as online: who is back within that time, on
	// any server, was never offline. It begins when the connection has ended, or
	// the lease of a killed server. A user who closed the last connection with
	// 1000 or no code, or whose connection the application closed, is offline at
	// once; a page that is reloaded or left sends 1001. Negative means that
	// everybody is offline at once.
	OfflineAfter time.Duration
	// UnregisterOnStop has Run take every user out of presence when it stops,
	// without OfflineAfter. It is for a Redis that ends with the process.
	UnregisterOnStop bool
	// ShutdownDelay is how long Run goes on as before when it is to stop, with
	// Ready false, so that load balancers notice and send nobody any more. Zero or
	// negative means no time.
	ShutdownDelay time.Duration
	// CloseSpread is the longest time over which Run closes the connections when
	// it stops, so that their clients do not come to the other servers all at
	// once. Few connections take less, 1 ms each. Negative means at once.
	CloseSpread time.Duration
	// Drain is how long Run waits for handlers when it stops, after the
	// connections were closed; then it cancels their contexts.
	Drain time.Duration

	running atomic.Bool
	hub     atomic.Pointer[hub] // while connections can be opened
}

// Run serves connections until ctx is cancelled. Then, after ShutdownDelay, it
// refuses new ones, closes those that it has with CloseRestart, waits for the
// handlers that are running, and returns nil. Users whom it sent away have
// OfflineAfter to connect to another server; those who do not are taken out of
// presence by a Reaper. It returns an error when Redis cannot be reached at the
// start, or refuses what is needed; later it goes on trying. A field that cannot be meant is an error that names
// it.
//
// The values of ctx, though not its cancellation, are in the context of every
// handler.
func (s *Server) Run(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("socket: Server is running already")
	}
	defer s.running.Store(false)
	h := newHub(ctx, s)
	err := redisstep.Check(ctx, s.Redis, guard.Logger(s.Logger), redisstep.BlockingRead)
	if err == nil {
		err = h.begin(ctx, false)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it served anybody
		}
		return fmt.Errorf("socket: start server: %w", err)
	}
	s.hub.Store(h)
	defer s.hub.Store(nil)
	h.run(ctx)
	return nil
}

// Ready tells whether the server takes connections: Run is running, and is not
// stopping.
func (s *Server) Ready() bool {
	h := s.hub.Load()
	return h != nil && !h.leaving.Load()
}

// What the fields of a Server may be at most. A lease is renewed three times in its
// time, of which Redis counts the milliseconds.
const (
	maxServerTime = 365 * 24 * time.Hour
	minLease      = 10 * time.Millisecond

	maxMessage      = 512 << 20 // bytes, as many as Redis takes
	maxMessageRate  = 1_000_000 // a second
	maxMessageBurst = 1_000_000
)

// check finds what Run cannot work with.
func (s *Server) check() error {
	if s.Redis == nil {
		return errors.New("socket: Server.Redis is nil")
	}
	if err := CheckOrigins(s.Origins); err != nil {
		return fmt.Errorf("socket: Server.Origins: %w", err)
	}
	if err := s.checkTimes(); err != nil {
		return err
	}
	if s.MaxMessage > maxMessage {
		return fmt.Errorf("socket: Server.MaxMessage is %d bytes, and must be at most %d", s.MaxMessage, maxMessage)
	}
	if s.MaxRate > maxMessageRate && !math.IsInf(s.MaxRate, 1) { // which is no limit
		return fmt.Errorf("socket: Server.MaxRate is %v, and must be at most %d; 0 means no limit", s.MaxRate, maxMessageRate)
	}
	if s.MaxBurst > maxMessageBurst {
		return fmt.Errorf("socket: Server.MaxBurst is %d, and must be at most %d", s.MaxBurst, maxMessageBurst)
	}
	ping := s.withDefaults().ping
	const rounding = 1e-9
	if perPing := s.MaxRate * ping.Seconds(); s.MaxRate > 0 && perPing < 1-rounding || math.IsNaN(s.MaxRate) {
		return fmt.Errorf("socket: Server.MaxRate is %v messages a second, and must be at least %.3g: clients answer once in a Server.PingInterval of %v",
			s.MaxRate, 1/ping.Seconds(), ping)
	}
	return nil
}

func (s *Server) checkTimes() error {
	for _, field := range []struct {
		name string
		d    time.Duration
	}{
		{"PingInterval", s.PingInterval}, {"PongTimeout", s.PongTimeout}, {"WriteTimeout", s.WriteTimeout},
		{"AuthTimeout", s.AuthTimeout}, {"Lease", s.Lease}, {"OfflineAfter", s.OfflineAfter},
		{"ShutdownDelay", s.ShutdownDelay}, {"CloseSpread", s.CloseSpread}, {"Drain", s.Drain},
	} {
		if field.d > maxServerTime {
			return fmt.Errorf("socket: Server.%s is %v, and must be at most %v", field.name, field.d, maxServerTime)
		}
	}
	if s.Lease > 0 && s.Lease < minLease {
		return fmt.Errorf("socket: Server.Lease is %v, and must be at least %v", s.Lease, minLease)
	}
	return nil
}

// withDefaults returns a copy of the configuration in which every limit is set.
func (s *Server) withDefaults() config {
	c := config{
		handlers: s.Handlers, log: logger(s.Logger),
		maxMessage: s.MaxMessage, maxQueued: s.MaxQueued, compress: max(0, s.Compress),
		rate: newRate(s.MaxRate, s.MaxBurst),
		ping: s.PingInterval, pong: s.PongTimeout, write: s.WriteTimeout, auth: s.AuthTimeout,
		lease: s.Lease, drain: s.Drain,
		maxConnections: s.MaxConnections, maxPerUser: max(0, s.MaxPerUser),
		maxUnauthenticated: s.MaxUnauthenticated,
		offlineAfter:       orDefault(s.OfflineAfter, DefaultOfflineAfter), unregisterOnStop: s.UnregisterOnStop,
		shutdownDelay: s.ShutdownDelay, closeSpread: orDefault(s.CloseSpread, DefaultCloseSpread),
	}
	c.origins, _ = readOrigins(s.Origins) // checked by Run
	if c.maxMessage <= 0 {
		c.maxMessage = DefaultMaxMessage
	}
	if c.maxUnauthenticated <= 0 {
		c.maxUnauthenticated = max(DefaultMaxUnauthenticated, 8*c.maxMessage)
	}
	if c.maxQueued <= 0 {
		c.maxQueued = DefaultMaxQueued
	}
	for field, value := range map[*time.Duration]time.Duration{
		&c.ping: DefaultPingInterval, &c.pong: DefaultPongTimeout, &c.write: DefaultWriteTimeout,
		&c.auth: DefaultAuthTimeout, &c.lease: DefaultLease, &c.drain: DefaultDrain,
	} {
		if *field <= 0 {
			*field = value
		}
	}
	return c
}

// orDefault is for a time that may be none, which is said by a negative one.
func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return max(0, d)
}

// config is a Server's configuration with every default filled in.
type config struct {
	handlers                              Handlers
	origins                               origins
	log                                   *slog.Logger
	maxMessage                            int64
	maxQueued, compress                   int
	rate                                  rate
	maxConnections, maxPerUser            int // 0: any number
	maxUnauthenticated                    int64
	ping, pong, write, auth, lease, drain time.Duration
	offlineAfter                          time.Duration
	unregisterOnStop                      bool
	shutdownDelay, closeSpread            time.Duration
}
