package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

// jobActions says, as asynqmon does, what can be done to one job of a list. The
// page deletes with the method DELETE and does the others with POST.
var jobActions = map[string][]string{
	"active_tasks":      {"cancel"},
	"pending_tasks":     {"delete", "archive"},
	"scheduled_tasks":   {"delete", "run", "archive"},
	"retry_tasks":       {"delete", "run", "archive"},
	"archived_tasks":    {"delete", "run"},
	"completed_tasks":   {"delete"},
	"aggregating_tasks": {"delete", "run", "archive"},
}

// changed does what a request asks for one job, unless it asks for something else.
//
//	DELETE queues/{queue}/{list}/{job}
//	POST   queues/{queue}/{list}/{job}:{action}
//
// Before the list may be groups/{group}.
func (a *dashboardAPI) changed(w http.ResponseWriter, r *http.Request, names []string) bool {
	if len(names) == 6 && names[2] == "groups" && names[4] == "aggregating_tasks" {
		names = slices.Delete(slices.Clone(names), 2, 4)
	}
	if len(names) != 4 || names[0] != "queues" {
		return false
	}
	queue, list, id, action := names[1], names[2], names[3], ""
	switch r.Method {
	case http.MethodDelete:
		action = "delete"
	case http.MethodPost:
		// An id may have colons itself.
		colon := strings.LastIndexByte(id, ':')
		if colon < 0 {
			return false
		}
		id, action = id[:colon], id[colon+1:]
	}
	if !slices.Contains(jobActions[list], action) {
		return false
	}
	if err := a.act(action, queue, id); err != nil {
		writeAsynqError(w, err)
		return true
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

func (a *dashboardAPI) act(action, queue, id string) error {
	switch action {
	case "delete":
		return a.inspector.DeleteTask(queue, id)
	case "run":
		return a.inspector.RunTask(queue, id)
	case "archive":
		return a.inspector.ArchiveTask(queue, id)
	default:
		return a.cancel(queue, id)
	}
}

// cancel cancels a job of the queue. Asynq itself looks at the id alone, which a job of
// another queue, and another app, may have.
func (a *dashboardAPI) cancel(queue, id string) error {
	if _, err := a.inspector.GetTaskInfo(queue, id); err != nil {
		return err
	}
	return a.inspector.CancelProcessing(id)
}

// cancelled cancels selected jobs, unless a request asks for something else.
//
//	POST queues/{queue}/active_tasks:batch_cancel
func (a *dashboardAPI) cancelled(w http.ResponseWriter, r *http.Request, names []string) bool {
	if r.Method != http.MethodPost || len(names) != 3 || names[0] != "queues" || names[2] != "active_tasks:batch_cancel" {
		return false
	}
	ids, err := selection(http.MaxBytesReader(w, r.Body, maxSelection))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return true
	}
	done := map[string][]string{"canceled_ids": {}, "error_ids": {}}
	for _, id := range ids {
		field := "canceled_ids"
		if a.cancel(names[1], id) != nil {
			field = "error_ids"
		}
		done[field] = append(done[field], nameInURL(id))
	}
	writeJSON(w, http.StatusOK, done)
	return true
}

// shown answers a request to see one job, or when a schedule was pushed, unless it is
// another one.
//
//	GET queues/{queue}/tasks/{job}
//	GET scheduler_entries/{schedule}/enqueue_events
//
// Someone may have typed the job's id as it is into the page's search: what
// nameInURL would not write is looked for literally.
func (a *dashboardAPI) shown(w http.ResponseWriter, r *http.Request, segments []string) bool {
	if r.Method != http.MethodGet {
		return false
	}
	names := slices.Clone(segments)
	for i, segment := range segments {
		if name, ok := nameFromURL(segment); ok {
			names[i] = name
		}
	}
	switch {
	case len(names) == 4 && names[0] == "queues" && names[2] == "tasks" && !a.owner.has(names[1]):
		notOurs(w)
	case len(names) == 4 && names[0] == "queues" && names[2] == "tasks":
		a.showJob(w, names[1], names[3])
	case len(names) == 3 && names[0] == "scheduler_entries" && names[2] == "enqueue_events":
		a.showHistory(w, r, names[1])
	default:
		return false
	}
	return true
}

// shownJob is what the page knows of a job. Times that a job does not have are
// empty.
type shownJob struct {
	ID            string `json:"id"`
	Queue         string `json:"queue"`
	Type          string `json:"type"`
	Payload       string `json:"payload"`
	State         string `json:"state"`
	MaxRetry      int    `json:"max_retry"`
	Retried       int    `json:"retried"`
	LastErr       string `json:"error_message"`
	LastFailedAt  string `json:"last_failed_at"`
	Timeout       int    `json:"timeout_seconds"`
	Deadline      string `json:"deadline"`
	NextProcessAt string `json:"next_process_at"`
	CompletedAt   string `json:"completed_at"`
	Result        string `json:"result"`
	TTL           int64  `json:"ttl_seconds"`
}

func (a *dashboardAPI) showJob(w http.ResponseWriter, queue, id string) {
	job, err := a.inspector.GetTaskInfo(queue, id)
	if err != nil {
		writeAsynqError(w, err)
		return
	}
	shown := shownJob{
		ID: nameInURL(job.ID), Queue: nameInURL(job.Queue), Type: job.Type, State: job.State.String(),
		Payload: showText(job.Type, job.Payload), Result: showText(job.Type, job.Result),
		MaxRetry: job.MaxRetry, Retried: job.Retried, LastErr: job.LastErr, Timeout: int(job.Timeout.Seconds()),
		LastFailedAt: timeForPage(job.LastFailedAt), Deadline: timeForPage(job.Deadline),
		NextProcessAt: timeForPage(job.NextProcessAt), CompletedAt: timeForPage(job.CompletedAt),
	}
	if isParked(job.Queue, job.NextProcessAt) {
		shown.NextProcessAt = "when it is the first of its group"
	}
	if job.State == asynq.TaskStateCompleted {
		shown.TTL = int64(time.Until(job.CompletedAt.Add(job.Retention)).Seconds())
	}
	writeJSON(w, http.StatusOK, shown)
}

// shownTick is a push of a schedule.
type shownTick struct {
	Job string `json:"task_id"`
	At  string `json:"enqueued_at"`
}

func (a *dashboardAPI) showHistory(w http.ResponseWriter, r *http.Request, schedule string) {
	ours, err := a.owner.hasSchedule(schedule, a.inspector)
	if err != nil {
		writeAsynqError(w, err)
		return
	}
	if !ours {
		notOurs(w)
		return
	}
	query := r.URL.Query()
	pushed, err := a.inspector.ListSchedulerEnqueueEvents(schedule,
		asynq.PageSize(atLeastOne(query.Get("size"), 20)), asynq.Page(atLeastOne(query.Get("page"), 1)))
	if err != nil {
		writeAsynqError(w, err)
		return
	}
	shown := make([]shownTick, len(pushed))
	for i, p := range pushed {
		shown[i] = shownTick{nameInURL(p.TaskID), timeForPage(p.EnqueuedAt)}
	}
	writeJSON(w, http.StatusOK, map[string]any{"events": shown})
}

// atLeastOne is the number in a query, or what the page expects without one.
func atLeastOne(text string, absent int) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return absent
}

func timeForPage(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// writeAsynqError answers with the text of an error, which the page shows.
func writeAsynqError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		status = http.StatusNotFound
	}
	http.Error(w, strings.TrimPrefix(err.Error(), "asynq: "), status)
}
