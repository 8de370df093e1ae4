package cmd_test

import (
	"net"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestWhatIsWrongAtTheStartIsOneLineAndStatusOne(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env   []string
		roles []string
		want  string
	}{
		"role":             {nil, []string{"wroker"}, `unknown role "wroker": the roles are web, socket, worker, scheduler`},
		"second role":      {nil, []string{"web", "Worker"}, `unknown role "Worker"`},
		"scheme":           {[]string{"REDIS_URL=http://localhost"}, nil, "REDIS_URL http://localhost: want redis://, rediss:// or unix://: redis: invalid URL scheme: http"},
		"no URL":           {[]string{"REDIS_URL=localhost:6379"}, nil, "REDIS_URL localhost:6379: want redis://"},
		"database":         {[]string{"REDIS_URL=redis://me:secret@localhost/x"}, nil, `REDIS_URL redis://…@localhost/x: want redis://, rediss:// or unix://: redis: invalid database number: "x"`},
		"option":           {[]string{"REDIS_URL=redis://localhost?colour=red"}, nil, "colour"},
		"password in URL":  {[]string{"REDIS_URL=redis://me:sec/ret@localhost"}, nil, "may have a password"},
		"PORT":             {[]string{"PORT=http"}, nil, `PORT "http" is not a number from 0 to 65535`},
		"PORT too high":    {[]string{"PORT=65536"}, nil, `PORT "65536" is not a number from 0 to 65535`},
		"port in use":      {[]string{"PORT=" + port}, nil, "listen tcp 127.0.0.1:" + port + ": bind: address already in use"},
		"HOST":             {[]string{"PORT=0", "HOST=192.0.2.1"}, nil, "listen tcp 192.0.2.1:0: bind: "},
		"Redis away":       {[]string{"REDIS_URL=redis://127.0.0.1:1"}, nil, "reach Redis at 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		"unix socket":      {[]string{"REDIS_URL=unix:///nowhere/redis.sock"}, nil, "reach Redis at /nowhere/redis.sock: dial unix"},
		"invalid schedule": {[]string{changes + "=invalid schedule"}, nil, `schedule "report", spec "sometimes": `},
		"two schedules":    {[]string{changes + "=two schedules"}, nil, `two schedules are named "pulse"`},
		"two handlers":     {[]string{changes + "=two handlers"}, nil, `queue "work": it has two handlers`},
		"built-in queue":   {[]string{changes + "=built-in queue"}, nil, `queue "schedules": the name is that of a built-in queue`},
		"no queue":         {[]string{changes + "=no queue"}, nil, "App.Jobs[0] was not made by a queue's Handle"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, test.env, test.roles...)
			if status := p.status(); status != 1 {
				t.Errorf("exit status %d", status)
			}
			got := p.errors()
			if !strings.Contains(got, test.want) || strings.Count(got, "\n") != 1 || strings.Contains(got, "secret") || strings.Contains(got, "sec/ret") {
				t.Errorf("got %q, want one line with %q", got, test.want)
			}
		})
	}
}

func TestRedisThatDoesNotAnswerAtTheStart(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	server.Pause()
	p := launch(t, []string{"REDIS_URL=redis://" + server.Addr})
	if status := p.status(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if got := p.errors(); !strings.Contains(got, "reach Redis at "+server.Addr) || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"help", "-h", "--help"} {
		p := launch(t, nil, arg)
		if status := p.status(); status != 0 || p.errors() != "" {
			t.Errorf("%s: exit status %d, %s", arg, status, p.errors())
		}
		help := strings.Join(p.lines(), "\n")
		for _, want := range []string{"Usage: ", "web ", "socket ", "worker ", "scheduler ", "REDIS_URL", "PORT", "HOST", "ALLOWED_ORIGINS", "DASHBOARD_PASSWORD"} {
			if !strings.Contains(help, want) {
				t.Errorf("%s lacks %q:\n%s", arg, want, help)
			}
		}
	}
}

func TestAnAppNeedsNothing(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PORT=0", changes + "=nothing to do"})
	if status, _ := p.get("/"); status != 404 {
		t.Errorf("/: %d", status)
	}
	if conn, res := p.dial(""); conn == nil {
		t.Errorf("/socket: %d", res.StatusCode)
	}
}
