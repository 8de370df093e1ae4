// Package cmd makes a program of an App: of its jobs, its schedules, what it does on
// its sockets, and its pages.
//
//	func main() {
//		cmd.Main(cmd.App{
//			Jobs:      []jobs.Handler{Orders.Handle(fulfil)},
//			Schedules: []scheduler.Schedule{scheduler.New("report", "every 15 minutes", report)},
//			Socket:    socket.Handlers{Authenticate: authenticate, OnMessage: socket.JSON(place)},
//			HTTP:      routes(),
//		})
//	}
//
// # Roles
//
// The program is one binary whose command line names the roles of a process; without
// one it has them all.
//
//	app                 everything, in one process
//	app web             the App's HTTP handler, the client library at /queuerun.js
//	                    and the dashboard at /monitoring
//	app socket          WebSocket connections at /socket
//	app worker          jobs, the ticks of schedules, and presence
//	app scheduler       makes a job of each tick
//	app web socket      two roles that share one listener
//	app help            lists roles and environment
//
// It also looks after schedules, with REDIS_URL set as for the roles:
//
//	app schedules               prints a table: their next ticks in the local time
//	                            zone, and their last runs
//	app schedules run NAME      runs one now, in a worker
//	app schedules pause NAME    keeps one from running at its ticks, until
//	app schedules resume NAME   lets it run again
//
// Any number of processes may have a role, schedulers included. Every process may
// push to all queues of the program and send to all of its users.
//
// Each process that listens also serves /healthz (it lives), /readyz (Redis takes writes)
// and /metrics. A worker or a scheduler listens only when PORT is set, so that
// several can be started by hand on one machine.
//
// # Environment
//
//	REDIS_URL            redis://, rediss:// or unix://, with the options of go-redis
//	                     such as ?pool_size=100. Unset: a Redis inside the process,
//	                     for development; its content is gone when the process ends
//	PORT                 TCP port, default 8080
//	HOST                 address to listen on. Default: all interfaces, but 127.0.0.1
//	                     when REDIS_URL is unset
//	ALLOWED_ORIGINS      origins whose pages may open sockets besides the program's own,
//	                     such as https://app.example.com, separated by commas
//	SHUTDOWN_DELAY       how long a process that is to stop goes on serving, with
//	                     /readyz failing, such as 5s, so that load balancers notice.
//	                     Default: no time
//	ALLOWED_HOSTS        names that requests may be for, separated by commas, besides
//	                     localhost and IP addresses; "*" is any. Default: any, but
//	                     none when REDIS_URL is unset
//	DASHBOARD_PASSWORD   opens /monitoring and /metrics to whoever gives it by HTTP Basic
//	                     authentication. Without it they need the token that the log
//	                     has at the start, unless REDIS_URL and ALLOWED_HOSTS are
//	                     unset and the process listens on a loopback address
//
// Without a password each process writes a URL with a token of its own into the log.
// Opened in a browser it sets a cookie; scripts send the token as "Authorization:
// Bearer". It ends with the process, and a load balancer that goes from one process
// to another makes it useless: set a password there. No address, and no header of
// a proxy, lets anybody in: whoever comes through a proxy on the same machine has a local
// address.
//
// With an embedded Redis requests for other names than localhost are refused: a page of
// any site can make its own name mean this machine (DNS rebinding), and would be
// answered like one of the program's. Behind a proxy, or with the name of a container,
// name it in ALLOWED_HOSTS.
//
// Main alone reads it, and signals and arguments. Run takes the same settings as
// fields of App, which is how tests start a whole program on a free port.
//
// # Contexts
//
// The contexts of requests, messages, jobs and ticks carry what jobs.Queue.Push and
// socket.Send need, and the current user if there is one. They hold their values
// until the work is done: stopping the program does not cancel them, it waits.
//
// # Start and stop
//
// What is wrong with the program or its environment, and a Redis that does not answer or
// refuses what is needed, is one line on standard error and exit status 1. Later, a process outlives an
// absence of Redis.
//
// SIGTERM and SIGINT stop it with status 0: no more ticks and jobs are taken, and,
// after SHUTDOWN_DELAY, no more requests and connections. Sockets are closed with code
// 1012, many of them spread over two seconds, and what is running may finish: up to 10
// seconds for requests, 15 for handlers of messages, and App.Drain for jobs, which
// then go back to their queues. Users who are back within three seconds, in another
// process, were never offline. A second signal ends the process at once with status 1.
package cmd
