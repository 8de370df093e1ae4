package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// Main is the main function of a program. It takes the roles from the command line
// and the settings from the environment, runs the program until a SIGINT or SIGTERM,
// and ends the process: with status 0 after a clean stop, with 1 and a line on
// standard error when something went wrong. A second signal ends the process at
// once, also with status 1.
//
// What the environment says wins over the fields of app.
func Main(app App) {
	os.Exit(app.main(os.Args, os.Getenv, os.Stdout, os.Stderr))
}

func (a App) main(args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	name := "app"
	if len(args) > 0 {
		name = strings.TrimSuffix(filepath.Base(args[0]), ".exe")
		args = args[1:]
	}
	if len(args) > 0 && (args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help") {
		fmt.Fprintf(stdout, usage, name)
		return 0
	}
	// This is a setting of the whole process, which is Main's to make.
	redis.SetLogger(redisLog{a.logger()})
	run := func(ctx context.Context) error { return a.Run(ctx, args...) }
	roles := args
	if len(args) > 0 && args[0] == schedulesCommand {
		run = func(ctx context.Context) error { return a.schedules(ctx, args[1:], stdout) }
		roles = nil
	}
	err := a.fromEnvironment(getenv, roles)
	if err == nil {
		ctx, stop := untilSignal(stderr)
		err = run(ctx)
		stop()
	}
	if err != nil {
		// Several parts may have failed; what a person or a log reads is one line.
		fmt.Fprintf(stderr, "%s: %s\n", name, printable(strings.ReplaceAll(err.Error(), "\n", "; ")))
		return 1
	}
	return 0
}

// untilSignal returns a context that is done at the first SIGINT or SIGTERM. The
// second one ends the process. The function that it returns takes back the signals.
func untilSignal(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if !first {
					fmt.Fprintf(stderr, "second signal (%v): ending at once\n", s)
					os.Exit(1)
				}
				fmt.Fprintf(stderr, "%v: stopping; a second signal ends at once\n", s)
				cancel()
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		<-ended
		cancel()
	}
}

const usage = `Usage: %[1]s [role ...]
       %[1]s schedules [run|pause|resume name]

Runs the given roles in one process, and all of them when none is given. Or lists
the schedules, with their next ticks and last runs; runs one now; or pauses it,
until it is resumed.

Roles
  web        HTTP: the pages of the program, and the dashboard at /monitoring
  socket     WebSocket connections at /socket
  worker     jobs
  scheduler  makes jobs of schedules

Environment
  REDIS_URL           redis://, rediss:// or unix://; unset: a Redis inside the
                      process, for development
  PORT                TCP port to listen on, default 8080. A worker or scheduler
                      listens only when it is set, to serve /healthz and /readyz
  HOST                address to listen on; default: all, but 127.0.0.1 when
                      REDIS_URL is unset
  ALLOWED_ORIGINS     origins whose pages may open sockets besides the program's
                      own, separated by commas
  SHUTDOWN_DELAY      how long to go on serving when stopping, with /readyz failing,
                      such as 5s; default: no time
  ALLOWED_HOSTS       names that requests may be for, separated by commas; default:
                      any, but only localhost and IP addresses when REDIS_URL is
                      unset
  DASHBOARD_PASSWORD  password of the dashboard and of /metrics, for any user name.
                      Without one they need the token that the log has at the
                      start; and nothing when REDIS_URL and ALLOWED_HOSTS are unset
                      and the program listens on a loopback address
`
