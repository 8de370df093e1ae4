package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets this test binary be the command when the command under test
// starts itself. Those processes need not wait at their end for more races to
// show up, as they would for a second each.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && modes[os.Args[1]] != nil {
		main()
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	goleak.VerifyTestMain(m)
}

// needRedis skips the test where there is no redis-server, or fails it when one
// is required.
func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatal("REQUIRE_REAL=1 is set, and redis-server is not on the PATH")
		}
		t.Skip("redis-server is not on the PATH")
	}
}

func TestQuickMeasuresEverything(t *testing.T) {
	needRedis(t)
	dir := t.TempDir()
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"-quick", "-profile", dir}, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d:\n%s\n%s", status, &stdout, &stderr)
	}
	rest := stdout.String()
	for _, w := range workloads {
		_, found, ok := strings.Cut(rest, "\n"+w.name+": "+w.title+"\n")
		if !ok {
			t.Fatalf("no workload %q, in this order:\n%s", w.name, &stdout)
		}
		rest = found
		table, _, _ := strings.Cut(rest, "\n\n")
		for _, m := range w.measures {
			value := valueIn(table, m.name)
			if zero := m == lost || m == closed; value == "" || (value == "0") != zero {
				t.Errorf("%s: %s is %q", w.name, m.name, value)
			}
		}
	}
	for _, name := range []string{"server.pprof", "publisher.pprof", "redis.txt"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(data) < 100 {
			t.Errorf("%s has %d bytes, %v", name, len(data), err)
		}
	}
}

// valueIn returns what a line of a table says.
func valueIn(table, name string) string {
	for line := range strings.Lines(table) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func TestSidesTakeTurns(t *testing.T) {
	needRedis(t)
	c := config{users: 100, messages: 500, idle: 20, history: 10, rounds: 2, settle: time.Millisecond}
	own, err := ours(c)
	if err != nil {
		t.Fatal(err)
	}
	twin := own
	twin.name, twin.audiences = "twin", false
	// It knows no audiences, and sends a message for each delivery.
	some, err := chosen("to,idle")
	if err != nil {
		t.Fatal(err)
	}
	var progress, out bytes.Buffer
	outcomes, err := measureAll(t.Context(), c, some, []side{own, twin}, &progress)
	if err != nil {
		t.Fatal(err)
	}
	var turns []string
	for line := range strings.Lines(progress.String()) {
		turn, _, _ := strings.Cut(line, ":")
		turns = append(turns, turn)
	}
	want := []string{
		"to, round 1 of 2, queuerun", "to, round 1 of 2, twin", "to, round 2 of 2, twin", "to, round 2 of 2, queuerun",
		"idle, round 1 of 2, queuerun", "idle, round 1 of 2, twin", "idle, round 2 of 2, twin", "idle, round 2 of 2, queuerun",
	}
	if !slices.Equal(turns, want) {
		t.Errorf("turns:\n%s", strings.Join(turns, "\n"))
	}
	if err := report(&out, c, []side{own, twin}, outcomes); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "queuerun/twin") {
		t.Errorf("no ratios:\n%s", &out)
	}
	for i := range 2 {
		if all := outcomes[0].values(i, lost); !slices.Equal(all, []float64{0, 0}) {
			t.Errorf("side %d lost %v", i, all)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"-h", 0, "-peer directory"},
		{"serve -h", 0, "Usage: bench serve"},
		{"publish -h", 0, "-history"},
		{"load -h", 0, "-pong frame"},
		{"-nonsense", 2, "-nonsense"},
		{"server", 2, `unexpected argument "server"`},
		{"-only user,nonsense", 1, `unknown workload "nonsense"`},
		{"-users 99", 1, "at least 100"},
		{"-rounds 0", 1, "at least 1"},
		{"-peer /nonexistent", 1, "find the peer"},
		{"-idle 1000000000", 1, "ulimit"},
		{"load -conns 1", 1, "-url is required"},
		{"publish -to nobody", 1, "want one of user, some, users"},
		{"publish -to some -users 99", 1, "at least 100 users"},
	} {
		var out bytes.Buffer
		if status := run(t.Context(), strings.Fields(c.args), &out, &out); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("bench %s: status %d, want %d, and it says:\n%s", c.args, status, c.status, &out)
		}
	}
}

func TestAProcessThatFailsSaysWhy(t *testing.T) {
	ctx := t.Context()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := start(ctx, "server", self, "serve", "-redis", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	err = p.until(ctx, time.Minute, "nothing", func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "reach Redis at 127.0.0.1:1") {
		t.Errorf("until: %v", err)
	}
	if err := p.finish(); err == nil || !strings.Contains(err.Error(), "reach Redis at 127.0.0.1:1") {
		t.Errorf("finish: %v", err)
	}
	p.stop() // it has ended, and nothing happens
}

func TestAProcessEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := start(ctx, "sleep", "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := p.finish(); err == nil {
		t.Error("it ended by itself")
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)); err == nil {
		t.Error("the process is still there")
	}
}
