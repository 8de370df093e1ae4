package jobs

import "strings"

// shape tells which of asynq's scripts is meant, by the keys it is given: they
// say more about its meaning than its text, which may change from one version
// to the next.
type shape int

const (
	shapeOther shape = iota
	shapeDequeue
	shapeFinish  // done, mark-as-complete, retry, archive or requeue
	shapeExpired // list of the tasks whose leases are over
	shapeForget  // of tasks that were kept for their time
)

var shapes = map[string]shape{
	"pending paused active lease":                                               shapeDequeue,
	"active lease task processed-day processed":                                 shapeFinish,
	"active lease task processed-day processed unique":                          shapeFinish,
	"active lease completed task processed-day processed":                       shapeFinish,
	"active lease completed task processed-day processed unique":                shapeFinish,
	"task active lease retry processed-day failed-day processed failed":         shapeFinish,
	"task active lease archived processed-day failed-day processed failed task": shapeFinish,
	"active lease pending task":                                                 shapeFinish,
	"lease":                                                                     shapeExpired,
	"completed":                                                                 shapeForget,
}

func shapeOf(keys []string) shape {
	kinds := make([]string, len(keys))
	for i, key := range keys {
		kinds[i] = kindOf(key)
	}
	return shapes[strings.Join(kinds, " ")]
}

// kindOf says what a key of asynq holds, or "?" when it is no key of a queue.
func kindOf(key string) string {
	_, rest, ok := strings.Cut(key, "}:")
	if !ok || !strings.HasPrefix(key, "asynq:{") {
		return "?"
	}
	switch kind, _, more := strings.Cut(rest, ":"); {
	case !more:
		return rest
	case kind == "t":
		return "task"
	case kind == "processed" || kind == "failed":
		return kind + "-day"
	default:
		return kind
	}
}
