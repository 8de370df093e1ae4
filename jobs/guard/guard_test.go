package guard

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type broken struct{ text string }

func (b *broken) Error() string { return b.text }

type exits struct{}

func (exits) String() string { runtime.Goexit(); return "" }

func TestCallSaysHowACallEnded(t *testing.T) {
	if err := Call(func() {}); err != nil {
		t.Errorf("a call that returned gave %v", err)
	}
	if err := Call(runtime.Goexit); err != ErrExited {
		t.Errorf("a call that ended its goroutine gave %v", err)
	}
	err := Call(func() { panic("at the disco") })
	var p *Panic
	if !errors.As(err, &p) || p.Text != "at the disco" || !strings.Contains(p.Stack, "guard_test.go") {
		t.Errorf("a panic gave %v", err)
	}
	if err := Call(func() { panic(exits{}) }); !errors.As(err, &p) || !strings.Contains(p.Text, "guard.exits") {
		t.Errorf("a panic with a value that cannot be read gave %v", err)
	}
}

type itself struct{}

func (i itself) Error() string { panic(i) }

func TestTextIsHadOfAnything(t *testing.T) {
	for want, v := range map[string]any{
		"as it is": "as it is",
		"an error": errors.New("an error"),
		"42":       42,
		"a *guard.broken, whose Error method panicked: runtime error: invalid memory address": (*broken)(nil),
		"a guard.itself, whose Error method panicked: a guard.itself, whose":                  itself{},
		"a guard.exits, whose String method ended its goroutine instead of returning":         exits{},
	} {
		if got := Text(v); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := Text([]any{exits{}}); !strings.Contains(got, "[]interface {}") {
		t.Errorf("a slice of what ends its goroutine gave %q", got)
	}
}
