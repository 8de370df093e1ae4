package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// journal keeps the order in which things happened.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// until returns a part that runs until it is stopped and then returns err.
func (j *journal) until(name string, err error) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		j.add(name)
		return err
	}
}

func TestGroupStopsInStages(t *testing.T) {
	var j journal
	g := &group{}
	g.add(1, "b", j.until("b", nil))
	g.add(0, "a1", j.until("a", nil))
	g.add(2, "c", j.until("c", nil))
	g.add(0, "a2", j.until("a", nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.run(ctx); err != nil {
		t.Error(err)
	}
	if want := []string{"a", "a", "b", "c"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestGroupStopsAllWhenOneFails(t *testing.T) {
	broken, late := errors.New("broken"), errors.New("late")
	var j journal
	g := &group{}
	g.add(0, "a", j.until("a", nil))
	g.add(1, "b", func(context.Context) error { return broken })
	g.add(1, "c", j.until("c", late))
	err := g.run(t.Context())
	if !errors.Is(err, broken) || !errors.Is(err, late) || err.Error() != "broken\nlate" {
		t.Errorf("got %v", err)
	}
	if want := []string{"a", "c"}; !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
}

func TestPartThatIsStoppedWhileItStartsHasNotFailed(t *testing.T) {
	g := &group{}
	g.add(0, "a", func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("reach Redis: %w", ctx.Err())
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.run(ctx); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestGroupStopsAllWhenOneEndsByItself(t *testing.T) {
	var j journal
	g := &group{}
	g.add(0, "a", j.until("a", nil))
	g.add(0, "b", func(context.Context) error { return nil })
	if err := g.run(t.Context()); err == nil || !strings.Contains(err.Error(), "b ended although") {
		t.Errorf("got %v", err)
	}
	if !slices.Equal(j.lines, []string{"a"}) {
		t.Errorf("got %v", j.lines)
	}
}

func TestGroupGivesItsPartsTheValuesOfTheContext(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
	g := &group{}
	g.add(0, "a", func(ctx context.Context) error {
		if ctx.Value(key{}) != "v" {
			t.Error("the value is missing")
		}
		cancel()
		<-ctx.Done()
		return nil
	})
	if err := g.run(ctx); err != nil {
		t.Error(err)
	}
}
