package redisstep

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnOutageIsLoggedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := Outage{Log: slog.New(slog.NewTextHandler(&log, nil)), What: "to try"}
		o.Note(nil)
		for range 150 { // two minutes and a half
			o.Note(errors.New("no"))
			time.Sleep(time.Second)
		}
		o.Note(nil)
		o.Note(nil)
		o.Note(errors.New("again"))
		want := []string{
			`"to try failed, and is tried again" error=no`,
			`error=no failures=61 since`, `error=no failures=121 since`,
			`"to try works again" failures=150 since`, `error=again`,
		}
		got := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(got) != len(want) {
			t.Fatalf("logged %d lines, want %d:\n%s", len(got), len(want), log.String())
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("line %d is %s, want %s", i, got[i], want[i])
			}
		}
	})
}
