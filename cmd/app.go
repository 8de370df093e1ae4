package cmd

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/queuerun/queuerun/socket"
)

// App is a whole program: what it does when a job, a tick, a message or a request
// comes in. Every field may be left out.
//
// The first five fields are the program. The others say where it runs; Main
// fills them from the environment, and a program that calls Run sets them itself.
type App struct {
	// Jobs are the handlers of the program's queues. Workers run them, and every
	// process may push to these queues.
	Jobs []jobs.Handler

	// Schedules are the functions that run at certain times.
	Schedules []scheduler.Schedule

	// Socket says what happens on the WebSocket connections at /socket.
	Socket socket.Handlers

	// HTTP serves every request that is not for one of the built-in paths
	// (/socket, /queuerun.js, /monitoring, /metrics, /healthz and /readyz). Its
	// requests' contexts push jobs and send messages, as the current user if there is
	// one.
	HTTP http.Handler

	// Authenticate says who makes an HTTP request, and who opens a socket when
	// Socket.OnConnect is nil. A nil user without an error means that nobody is
	// signed in; a socket then goes on to Socket.Authenticate. An error refuses the
	// request: with status 401, or as socket.Reject says. Nil: nobody is ever signed
	// in.
	Authenticate func(*http.Request) (*socket.User, error)

	// Middleware is put around the handlers of all jobs, the first one outermost.
	Middleware []jobs.Middleware

	// Origins are the sites whose pages may open a socket, besides the one that
	// the request is for: "https://app.example.com". One that no browser would send, as
	// without a scheme, is an error of Run. Main adds ALLOWED_ORIGINS, a
	// list separated by commas.
	Origins []string

	// Hosts are the names that requests may be for: "app.example.com". Those for other
	// names are answered with 403, but IP addresses and localhost are always allowed, and
	// "*" stands for any name. Default: any name, but with an embedded Redis none: a
	// page of any site can make a name of its own mean this machine, and read what it
	// is answered. Main adds ALLOWED_HOSTS, a list separated by commas.
	Hosts []string

	// Prefix begins the name of every key in Redis, so that several programs can
	// share one. Processes of one program must have the same one. Default: none.
	Prefix string

	// RedisURL is the Redis to use: redis://, rediss:// or unix://. Empty means an
	// embedded Redis inside this process, whose content is gone when it ends. Main
	// takes it from REDIS_URL.
	RedisURL string

	// Addr is the TCP address to listen on, as in net.Listen. Main makes it from
	// HOST and PORT. Default: port 8080, on the loopback interface when the Redis
	// is embedded, else on all interfaces; a process that has neither the web nor
	// the socket role listens only when Addr or Listener is set, and then serves
	// just /healthz, /readyz and /metrics.
	Addr string

	// Listener is served instead of listening on Addr. Run closes it.
	Listener net.Listener

	// DashboardPassword opens the dashboard at /monitoring, and /metrics, to whoever
	// gives it, with any user name, by HTTP Basic authentication. Without a password
	// they need a token that the log has at the start, in a URL to open, and that ends
	// with the process; and nothing if the Redis is embedded, the program listens on
	// a loopback address and Hosts is empty. Main takes it from DASHBOARD_PASSWORD.
	DashboardPassword string

	// ConfigureSocket changes the socket server before it runs: its limits and
	// times, such as MaxPerUser. Redis, Prefix, Handlers, Jobs, Origins, Logger,
	// ShutdownDelay and UnregisterOnStop are set when it is called.
	ConfigureSocket func(*socket.Server)

	// BodyTimeout is how long a client may pause in a body that HTTP reads, until
	// reading fails. Zero means 30 seconds, negative no limit. A handler changes it for
	// one request with http.ResponseController.SetReadDeadline.
	BodyTimeout time.Duration

	// ShutdownDelay is how long the program goes on to serve requests and sockets
	// when it is to stop, with /readyz failing, so that load balancers notice before
	// anybody is refused. Main takes it from SHUTDOWN_DELAY. Zero means no time.
	ShutdownDelay time.Duration

	// Drain is how long jobs that are running when the program stops may go on.
	// After that their contexts are cancelled, and the jobs go back to their
	// queues. Zero means the default of jobs.Worker.
	Drain time.Duration

	// Logger receives what happens. Nil means slog.Default().
	Logger *slog.Logger
}
