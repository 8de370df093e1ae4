package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/queuerun/queuerun/socket"
	"go.uber.org/goleak"
)

// runAsProgram makes this test binary run as the program of these tests, so that
// they can send it real signals and look at its exit status.
const runAsProgram = "CMD_TEST_RUN_AS_PROGRAM"

// changes makes the program a different one; see the functions in changed.
const changes = "CMD_TEST_CHANGES"

func TestMain(m *testing.M) {
	if os.Getenv(runAsProgram) != "" {
		app := app()
		if change := changed[os.Getenv(changes)]; change != nil {
			change(&app)
		}
		cmd.Main(app)
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	work  = jobs.NewQueue[string]("work")
	count = jobs.NewQueue[int]("count")
)

// say writes a line that the tests wait for.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// app is the program: it says what happens to it on standard output.
func app() cmd.App {
	return cmd.App{
		Jobs: []jobs.Handler{
			work.Handle(doWork, jobs.Backoff(func(int) time.Duration { return time.Second })),
			jobs.HandleResult(count, countTo),
		},
		Middleware: []jobs.Middleware{announce},
		Schedules: []scheduler.Schedule{scheduler.New("pulse", "every second", func(ctx context.Context) error {
			say("tick")
			return socket.To("ann").Send(ctx, "tick")
		})},
		Socket: socket.Handlers{
			OnMessage: socket.Text(func(ctx context.Context, text string) error {
				_, err := work.Push(ctx, text)
				return err
			}),
			OnOnline:  func(_ context.Context, user string) error { say("online %s", user); return nil },
			OnOffline: func(_ context.Context, user string) error { say("offline %s", user); return nil },
		},
		HTTP:         http.HandlerFunc(serve),
		Authenticate: authenticate,
	}
}

// changed are the programs that are different.
var changed = map[string]func(*cmd.App){
	"invalid schedule": func(a *cmd.App) {
		a.Schedules = append(a.Schedules, scheduler.New("report", "sometimes", func(context.Context) error { return nil }))
	},
	"two schedules":     func(a *cmd.App) { a.Schedules = append(a.Schedules, a.Schedules[0]) },
	"two handlers":      func(a *cmd.App) { a.Jobs = append(a.Jobs, a.Jobs[0]) },
	"built-in queue":    func(a *cmd.App) { a.Jobs = []jobs.Handler{jobs.NewQueue[string]("schedules").Handle(doWork)} },
	"no queue":          func(a *cmd.App) { a.Jobs = []jobs.Handler{{}} },
	"short drain":       func(a *cmd.App) { a.Drain = 50 * time.Millisecond },
	"nothing to do":     func(a *cmd.App) { *a = cmd.App{} },
	"prefix":            func(a *cmd.App) { a.Prefix = "other" },
	"one socket each":   func(a *cmd.App) { a.ConfigureSocket = func(s *socket.Server) { s.MaxPerUser = 1 } },
	"socket for anyone": func(a *cmd.App) { a.Authenticate = nil },
}

func doWork(ctx context.Context, what string) error {
	say("began %s", what)
	switch what {
	case "slow":
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
		}
	case "endless":
		<-ctx.Done()
	case "stuck":
		select {}
	}
	if ctx.Err() != nil {
		say("cut short %s", what)
		return ctx.Err()
	}
	say("did %s for %s", what, jobs.UserID(ctx))
	if jobs.UserID(ctx) == "" {
		return nil
	}
	return socket.Send(ctx, "did "+what)
}

func countTo(ctx context.Context, n int) (int, error) {
	for i := range n {
		if err := jobs.Progress(ctx, i); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// announce is middleware that says of which queue a job is.
func announce(next func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if job, _ := jobs.FromContext(ctx); job.Queue == "count" {
			say("middleware of %s", job.Queue)
		}
		return next(ctx)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	if what, ok := strings.CutPrefix(r.URL.Path, "/do/"); ok {
		if _, err := work.Push(r.Context(), what); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if r.URL.Path == "/count" {
		if _, err := count.Push(r.Context(), 2, jobs.ID("c1"), jobs.NotifyUser()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	fmt.Fprintf(w, "hello %s", jobs.UserID(r.Context()))
}

func authenticate(r *http.Request) (*socket.User, error) {
	switch user := r.Header.Get("X-User"); user {
	case "":
		return nil, nil
	case "mallory":
		return nil, socket.Reject(http.StatusForbidden, "not you")
	case "trent":
		return nil, errors.New("no such user")
	default:
		return &socket.User{ID: user}, nil
	}
}
