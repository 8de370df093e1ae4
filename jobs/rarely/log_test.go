package rarely

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The first refusal is told at once, and then one a minute with how many there were.
func TestLogIsToldOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		to := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		var l Log
		for range 150 {
			l.Note(to, "refused", "from", "x")
			time.Sleep(time.Second)
		}
		want := "level=WARN msg=refused from=x\n" + strings.Repeat("level=WARN msg=refused from=x refusals=60\n", 2)
		if out.String() != want {
			t.Errorf("the log has:\n%swant:\n%s", out.String(), want)
		}
	})
}
