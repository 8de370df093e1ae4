package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/scheduler"
)

// schedulesCommand is the first argument of the commands about schedules.
const schedulesCommand = "schedules"

// schedules is "app schedules": it prints a table, or does something with one of
// the schedules.
func (a App) schedules(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return a.printSchedules(ctx, stdout)
	}
	actions := map[string]func(context.Context, scheduler.Schedule) (string, error){
		"run":    runSchedule,
		"pause":  pauseSchedule,
		"resume": resumeSchedule,
	}
	action := actions[args[0]]
	if action == nil || len(args) != 2 {
		return fmt.Errorf("%s %s: want nothing, or run, pause or resume and a name", schedulesCommand, strings.Join(args, " "))
	}
	name := args[1]
	i := slices.IndexFunc(a.Schedules, func(s scheduler.Schedule) bool { return s.Name() == name })
	if i < 0 {
		return fmt.Errorf("%s %s %q: %w in this program; it has %s", schedulesCommand, args[0], name, scheduler.ErrUnknown, a.scheduleNames())
	}
	if a.RedisURL == "" {
		return fmt.Errorf("%s %s %q: REDIS_URL is not set, and the Redis inside another process is out of reach", schedulesCommand, args[0], name)
	}
	return a.withClient(ctx, func(ctx context.Context) error {
		said, err := action(ctx, a.Schedules[i])
		if errors.Is(err, scheduler.ErrUnknown) {
			err = fmt.Errorf("%w; no process with the role scheduler has declared it yet", err)
		}
		if err == nil {
			fmt.Fprintln(stdout, printable(said))
		}
		return err
	})
}

func (a App) scheduleNames() string {
	if len(a.Schedules) == 0 {
		return "none"
	}
	var names []string
	for _, s := range a.Schedules {
		names = append(names, s.Name())
	}
	return strings.Join(names, ", ")
}

func runSchedule(ctx context.Context, s scheduler.Schedule) (string, error) {
	id, err := s.Trigger(ctx)
	return "pushed " + id, err
}

func pauseSchedule(ctx context.Context, s scheduler.Schedule) (string, error) {
	return "paused " + s.Name(), scheduler.Pause(ctx, s.Name())
}

func resumeSchedule(ctx context.Context, s scheduler.Schedule) (string, error) {
	return "resumed " + s.Name(), scheduler.Resume(ctx, s.Name())
}

// printSchedules prints the program's schedules with what Redis knows of them,
// if there is one.
func (a App) printSchedules(ctx context.Context, stdout io.Writer) error {
	if err := scheduler.Check(a.Schedules); err != nil {
		return err
	}
	now := time.Now()
	list := make([]scheduler.Status, len(a.Schedules))
	for i, s := range a.Schedules {
		list[i] = s.Status(now)
	}
	if a.RedisURL == "" {
		writeSchedules(stdout, list, now)
		fmt.Fprintln(stdout, "\nREDIS_URL is not set: what has been run is not known.")
		return nil
	}
	return a.withClient(ctx, func(ctx context.Context) error {
		known, err := scheduler.List(ctx)
		if err != nil {
			return err
		}
		for i := range list {
			for _, k := range known {
				if k.Name == list[i].Name {
					list[i].Paused, list[i].Prev, list[i].Last = k.Paused, k.Prev, k.Last
				}
			}
		}
		writeSchedules(stdout, list, now)
		return nil
	})
}

// withClient calls do with a context that pushes jobs of the program.
func (a App) withClient(ctx context.Context, do func(ctx context.Context) error) error {
	store, err := openStore(ctx, a.RedisURL, a.Logger)
	if err != nil {
		return err
	}
	defer store.close()
	client := jobs.NewClient(store.client)
	client.Prefix = a.Prefix
	if client.Handles, err = a.handlers(store.client); err != nil {
		return err
	}
	return do(client.Context(ctx))
}
