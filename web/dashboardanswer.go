package web

import (
	"strings"
	"time"
)

// forPage turns an answer of asynqmon into what the page can use; field is where
// the value is.
func forPage(field string, v any) any {
	switch v := v.(type) {
	case string:
		if isName(field) {
			return nameInURL(v)
		}
	case []any:
		for i := range v {
			v[i] = forPage(field, v[i])
		}
	case map[string]any:
		return objectForPage(field, v)
	}
	return v
}

func objectForPage(field string, object map[string]any) map[string]any {
	queue, _ := object["queue"].(string)
	next, _ := object["next_process_at"].(string)
	if t, err := time.Parse(time.RFC3339, next); err == nil && isParked(queue, t) {
		object["next_process_at"] = noTime
	}
	named := make(map[string]any, len(object))
	for key, v := range object {
		v = forPage(key, v)
		if field == "queue_priorities" || field == "stats" {
			key = nameInURL(key) // the fields are queues
		}
		named[key] = v
	}
	return named
}

// isName reports whether a field of asynqmon's answers has ids or names that
// somebody chose. The page puts all but a few of them into paths.
func isName(field string) bool {
	switch field {
	case "id", "task_id", "queue", "group":
		return true
	}
	return strings.HasSuffix(field, "_ids") // what became of the selected jobs
}

// parked is when a FIFO job is scheduled that waits for those before it in its
// group. No other job of package jobs is so far away.
var parked = time.Date(2200, time.January, 1, 0, 0, 0, 0, time.UTC)

func isParked(queue string, next time.Time) bool {
	return strings.HasSuffix(queue, ".fifo") && !next.Before(parked)
}

// noTime makes a list of jobs show "-" for a time. The page knows that sign for a
// time that JavaScript cannot read, but no text is one, null or empty included: it
// would show "in NaNhNaNmNaNs". An object that cannot become a text is.
var noTime = map[string]any{"toString": nil}
