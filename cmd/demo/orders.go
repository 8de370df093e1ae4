package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

// orders holds what was ordered, one group for each user: a user's orders are
// fulfilled one after the other, those of different users side by side.
var orders = jobs.NewQueue[order]("orders.fifo")

var (
	menu  = []string{"Enamel mug", "Paper notebook", "Desk lamp", "Wool blanket"}
	steps = []string{"preparing", "packaging", "shipped"}
)

const (
	stepPause     = 1200 * time.Millisecond // stands for the work of a step
	reportsKept   = 60                      // of each user: 15 orders, 4 reports each
	reportsExpiry = 24 * time.Hour
)

type order struct {
	ID   string `json:"id"` // the ref of the wish
	Item string `json:"item"`
}

// progress reports that an order has reached a step: queued, or one of steps.
type progress struct {
	Type  string    `json:"type"`
	Order string    `json:"order"` // its id
	Item  string    `json:"item"`
	Step  string    `json:"step"`
	At    time.Time `json:"at"`
}

// wish is what a user wants to have.
type wish struct {
	Ref  string `json:"ref"`
	Item string `json:"item"`
}

// place puts an order of the current user into the queue. To repeat a wish is no
// second order: the queue ignores the same job of a group.
func place(ctx context.Context, w wish) (progress, error) {
	if err := checkRef(w.Ref); err != nil {
		return progress{}, err
	}
	if !slices.Contains(menu, w.Item) {
		return progress{}, fmt.Errorf("%q is not on the menu", w.Item)
	}
	o := order{ID: w.Ref, Item: w.Item}
	if _, err := orders.Group(jobs.UserID(ctx)).Push(ctx, o); err != nil {
		return progress{}, fmt.Errorf("place an order: %w", err)
	}
	return report(ctx, o, "queued")
}

// fulfil is the job that works on an order.
func fulfil(ctx context.Context, o order) error {
	for i, step := range steps {
		if i > 0 {
			if err := pause(ctx, stepPause); err != nil {
				return err
			}
		}
		if _, err := report(ctx, o, step); err != nil {
			return err
		}
	}
	return nil
}

// pause returns after d, or with an error as soon as ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// report keeps a step for pages that are opened later and sends it to those
// that are open: in a job the current user is the one who ordered.
//
// A job that is retried reports its steps again, and "queued" may come after
// "preparing". The page keeps the first report of a step and shows the furthest.
func report(ctx context.Context, o order, step string) (progress, error) {
	p, err := recordProgress(ctx, cmd.Redis(ctx), jobs.UserID(ctx), o, step)
	if err != nil {
		return progress{}, err
	}
	return p, socket.Send(ctx, p)
}

func ordersKey(name string) string { return "demo:orders:" + name }

func recordProgress(ctx context.Context, rdb redis.UniversalClient, name string, o order, step string) (progress, error) {
	key := ordersKey(name)
	var added *redis.StringCmd
	_, err := rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		added = tx.XAdd(ctx, &redis.XAddArgs{
			Stream: key,
			MaxLen: reportsKept,
			Values: []string{"order", o.ID, "item", o.Item, "step", step},
		})
		tx.Expire(ctx, key, reportsExpiry)
		return nil
	})
	if err != nil {
		return progress{}, fmt.Errorf("record order %s as %s: %w", o.ID, step, err)
	}
	return progress{Type: "order", Order: o.ID, Item: o.Item, Step: step, At: entryTime(added.Val())}, nil
}

// readOrders returns the reports kept for a user, oldest first.
func readOrders(ctx context.Context, rdb redis.UniversalClient, name string) ([]progress, error) {
	messages, err := rdb.XRange(ctx, ordersKey(name), "-", "+").Result()
	if err != nil {
		return nil, fmt.Errorf("read the orders of %q: %w", name, err)
	}
	reports := make([]progress, 0, len(messages))
	for _, m := range messages {
		reports = append(reports, progress{
			Type:  "order",
			Order: field(m, "order"),
			Item:  field(m, "item"),
			Step:  field(m, "step"),
			At:    entryTime(m.ID),
		})
	}
	return reports, nil
}
