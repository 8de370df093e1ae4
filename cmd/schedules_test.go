package cmd_test

import (
	"context"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
)

func init() {
	changed["by hand"] = func(a *cmd.App) {
		say := func(what string) func(context.Context) error {
			return func(context.Context) error { say("ran %s", what); return nil }
		}
		a.Schedules = []scheduler.Schedule{
			scheduler.New("report", "30 9 * * *", say("report")),
			scheduler.New("a longer name", "every 20 minutes", say("the other")),
			scheduler.New("only by hand", "never", say("what is run by hand")),
		}
	}
}

// command runs the program with arguments and returns its exit status and what it
// wrote to standard output, and to standard error.
func command(t *testing.T, env []string, args ...string) (status int, out, errors string) {
	t.Helper()
	p := launch(t, append(env, changes+"=by hand", "TZ=Asia/Kolkata"), args...)
	status = p.status()
	return status, strings.Join(p.lines(), "\n"), p.errors()
}

func TestSchedulesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	env := []string{"REDIS_URL=redis://" + redistest.Real(t).Addr}
	if status, _, errors := command(t, env, "schedules", "pause", "report"); status != 1 || !strings.Contains(errors, "no process with the role scheduler has declared it yet") {
		t.Errorf("before a scheduler was there: status %d, %s", status, errors)
	}
	ran := func(name string) {
		t.Helper()
		if status, out, errors := command(t, env, "schedules", "run", name); status != 0 || !strings.HasPrefix(out, "pushed "+name+":hand:") {
			t.Errorf("status %d, %s %s", status, out, errors)
		}
	}
	ran("report") // before anybody is there
	p := start(t, append(env, changes+"=by hand"), "worker", "scheduler")
	p.waitFor("ran report")
	ran("only by hand")
	p.waitFor("ran what is run by hand")
	p.eventually("the schedule to be paused", func() bool { // It has to be declared first.
		status, out, _ := command(t, env, "schedules", "pause", "a longer name")
		return status == 0 && out == "paused a longer name"
	})
	var table []string
	p.eventually("the table to show the last runs", func() bool {
		_, out, _ := command(t, env, "schedules")
		table = strings.Split(out, "\n")
		return strings.Count(out, "succeeded") == 2
	})
	for i := range table {
		table[i] = strings.ReplaceAll(table[i], "µ", "u") // one byte for each column
	}
	if len(table) != 4 {
		t.Fatalf("got\n%s", strings.Join(table, "\n"))
	}
	for i, want := range [][]string{
		{"NAME", "SPEC", "CRON", "NEXT (IST)", "LAST RUN", "RESULT", "TOOK", "PAUSED"},
		{"report", "30 9 * * *", " 15:00, ", " succeeded "},
		{"a longer name", "every 20 minutes", "*/20 * * * *", "since 20"},
		{"only by hand", "never", " succeeded "},
	} {
		for _, text := range want {
			if !strings.Contains(table[i], text) {
				t.Errorf("line %d lacks %q:\n%s", i, text, strings.Join(table, "\n"))
			}
		}
		for _, column := range []string{"SPEC", "CRON", "NEXT", "LAST", "RESULT", "TOOK", "PAUSED"} {
			if at := strings.Index(table[0], column); len(table[i]) < at+1 || table[i][at-1] != ' ' || table[i][at] == ' ' {
				t.Errorf("the column %s of line %d is not aligned:\n%s", column, i, strings.Join(table, "\n"))
			}
		}
	}
	if status, out, _ := command(t, env, "schedules", "resume", "a longer name"); status != 0 || out != "resumed a longer name" {
		t.Errorf("resume: status %d, %s", status, out)
	}
	if _, out, _ := command(t, env, "schedules"); strings.Contains(out, "since") {
		t.Errorf("after resume:\n%s", out)
	}
}

func TestSchedulesWithoutRedis(t *testing.T) {
	t.Parallel()
	status, out, errors := command(t, nil, "schedules")
	if status != 0 || errors != "" || !strings.Contains(out, "every 20 minutes") || !strings.Contains(out, "REDIS_URL is not set") {
		t.Errorf("status %d\n%s\n%s", status, out, errors)
	}
	for want, args := range map[string][]string{
		`schedules run "report": REDIS_URL is not set`:                                                     {"schedules", "run", "report"},
		`schedules pause "repor": no such schedule in this program; it has report, a longer name, only by`: {"schedules", "pause", "repor"},
		`schedules stop report: want nothing, or run, pause or resume and a name`:                          {"schedules", "stop", "report"},
		`schedules run: want nothing, or run, pause or resume and a name`:                                  {"schedules", "run"},
	} {
		status, _, errors := command(t, nil, args...)
		if status != 1 || !strings.Contains(errors, want) || strings.Count(errors, "\n") != 1 {
			t.Errorf("%v: status %d, %s", args, status, errors)
		}
	}
	p := launch(t, []string{changes + "=nothing to do"}, "schedules")
	if p.status() != 0 || !strings.Contains(strings.Join(p.lines(), "\n"), "This program has no schedules.") {
		t.Errorf("got %v %s", p.lines(), p.errors())
	}
}
