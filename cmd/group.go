package cmd

import (
	"context"
	"errors"
	"fmt"
)

// group runs the parts of a program, all at the same time, and stops them in
// stages: parts of a later stage are stopped when those of the earlier ones have
// returned, because the earlier ones still need them.
type group struct {
	stages [][]part
}

// part is one thing that runs until its context is done.
type part struct {
	name string
	run  func(context.Context) error
}

// add adds a part to the stage, 0 being the first to be stopped.
func (g *group) add(stage int, name string, run func(context.Context) error) {
	for len(g.stages) <= stage {
		g.stages = append(g.stages, nil)
	}
	g.stages[stage] = append(g.stages[stage], part{name, run})
}

// end is how a part ended.
type end struct {
	part string
	err  error
}

// run starts everything and stops everything as soon as ctx is done or a part
// returns, whatever it returns. It returns when all parts have returned, with the
// errors of those that failed. The parts get the values of ctx.
func (g *group) run(ctx context.Context) error {
	all := 0
	for _, parts := range g.stages {
		all += len(parts)
	}
	early := make(chan end, all) // what ended; never blocks
	running := make([]*stage, len(g.stages))
	for i, parts := range g.stages {
		running[i] = start(context.WithoutCancel(ctx), parts, early)
	}
	var first error
	select {
	case <-ctx.Done():
	case e := <-early:
		if e.err == nil || errors.Is(e.err, context.Canceled) {
			first = fmt.Errorf("%s ended although it was not stopped", e.part)
		} else {
			early <- e
		}
	}
	for _, s := range running {
		s.stop()
	}
	close(early)
	errs := []error{first}
	for e := range early {
		// A part that was stopped while it was still starting may say so.
		if !errors.Is(e.err, context.Canceled) {
			errs = append(errs, e.err) // its text tells which part it is from
		}
	}
	return errors.Join(errs...)
}

// stage is the running parts of one stage.
type stage struct {
	cancel context.CancelFunc
	done   []chan struct{}
}

func start(ctx context.Context, parts []part, ends chan<- end) *stage {
	ctx, cancel := context.WithCancel(ctx)
	s := &stage{cancel: cancel}
	for _, p := range parts {
		done := make(chan struct{})
		s.done = append(s.done, done)
		go func() {
			defer close(done)
			ends <- end{p.name, p.run(ctx)}
		}()
	}
	return s
}

// stop cancels the parts and waits for them.
func (s *stage) stop() {
	s.cancel()
	for _, done := range s.done {
		<-done
	}
}
