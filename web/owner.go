package web

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
)

// owner is the app whose queues a page shows, by its prefix. Apps that share a Redis
// share asynq's lists of queues, servers and schedules in it.
type owner string

// has reports whether a queue is the app's own. A queue of another asynq client, whose
// name no app gives, belongs to the app without a prefix.
func (o owner) has(queue string) bool { return jobs.OwnerOf(queue) == string(o) }

// queueOf returns the queue that a request for asynqmon is about.
func queueOf(names []string) (queue string, ok bool) {
	if len(names) < 2 || names[0] != "queues" {
		return "", false
	}
	if queue = names[1]; len(names) == 2 {
		for _, action := range []string{":pause", ":resume"} {
			if cut, ok := strings.CutSuffix(queue, action); ok {
				return cut, true
			}
		}
	}
	return queue, true
}

// only takes what belongs to other apps out of an answer of asynqmon.
func (o owner) only(answer any) {
	object, ok := answer.(map[string]any)
	if !ok {
		return
	}
	hasQueue := func(field string) func(map[string]any) bool {
		return func(v map[string]any) bool { queue, ok := v[field].(string); return !ok || o.has(queue) }
	}
	keep(object, "queues", hasQueue("queue"))
	keep(object, "entries", func(entry map[string]any) bool { return o.has(queueOfEntry(entry["options"])) })
	keep(object, "servers", func(server map[string]any) bool {
		keep(server, "active_workers", hasQueue("queue"))
		all, _ := server["queue_priorities"].(map[string]any)
		others := o.drop(all)
		return others == 0 || len(all) > 0
	})
	stats, _ := object["stats"].(map[string]any)
	if _, ofOne := stats["queue"].(string); !ofOne {
		o.drop(stats) // are by queue
	}
}

// drop removes the fields that are queues of other apps, and returns how many it did.
func (o owner) drop(byQueue map[string]any) int {
	before := len(byQueue)
	for queue := range byQueue {
		if !o.has(queue) {
			delete(byQueue, queue)
		}
	}
	return before - len(byQueue)
}

// keep keeps the elements of a field's list for which wanted is true.
func keep(object map[string]any, field string, wanted func(map[string]any) bool) {
	list, ok := object[field].([]any)
	if !ok {
		return
	}
	object[field] = slices.DeleteFunc(list, func(v any) bool {
		element, ok := v.(map[string]any)
		return ok && !wanted(element)
	})
}

// defaultQueue is where asynq puts what names no queue.
const defaultQueue = "default"

// queueOfEntry returns the queue of a schedule, by its options as asynq writes them:
// Queue("schedules").
func queueOfEntry(options any) string {
	list, _ := options.([]any)
	for _, option := range list {
		text, _ := option.(string)
		if quoted, ok := strings.CutPrefix(text, "Queue("); ok {
			if queue, err := strconv.Unquote(strings.TrimSuffix(quoted, ")")); err == nil {
				return queue
			}
		}
	}
	return defaultQueue
}

// hasSchedule reports whether a schedule is the app's own: those of an app with
// a prefix have it in front, and others are known by their queue while they run.
func (o owner) hasSchedule(id string, inspector *asynq.Inspector) (bool, error) {
	if o != "" {
		return strings.HasPrefix(id, string(o)+":"), nil
	}
	running, err := inspector.SchedulerEntries()
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(running, func(e *asynq.SchedulerEntry) bool {
		queue := defaultQueue
		for _, option := range e.Opts {
			if name, ok := option.Value().(string); ok && option.Type() == asynq.QueueOpt {
				queue = name
			}
		}
		return e.ID == id && !o.has(queue)
	}), nil
}
