package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
)

// maxBody is how large a payload may be that HTTP takes.
const maxBody = 1 << 20

// HTTP returns a handler that pushes the body of a POST request as a job and
// answers 202 with the job's id in the header X-Job-Id and as {"id": "..."}.
//
// The body is JSON (Content-Type application/json), or for a Queue[string] or
// Queue[[]byte] anything, up to 1 MiB. The group of a FIFO queue is the
// path's {group}; the other path values and the query become Job.Params, the
// first value of each. What is wrong is answered as {"error": "..."}: 400 for
// the payload or the group, 405, 413 and 415 as usual, 503 when the job could
// not be stored. The request's context carries the client and the user.
func (q *Queue[T]) HTTP() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := q.pushRequest(w, r)
		if err != nil {
			answerError(w, r, q.name, err)
			return
		}
		w.Header().Set("X-Job-Id", id)
		answerJSON(w, http.StatusAccepted, map[string]string{"id": id})
	})
}

// httpError is an error that the client made, with the answer to it.
type httpError struct {
	status int
	err    error
}

func (e httpError) Error() string { return e.err.Error() }

func (q *Queue[T]) pushRequest(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return "", httpError{http.StatusMethodNotAllowed, fmt.Errorf("method %s: only POST is allowed", r.Method)}
	}
	if err := checkContentType[T](r.Header.Get("Content-Type")); err != nil {
		return "", httpError{http.StatusUnsupportedMediaType, err}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return "", httpError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", tooLarge.Limit)}
	}
	if err != nil {
		return "", httpError{http.StatusBadRequest, fmt.Errorf("read the body: %w", err)}
	}
	payload, err := decode[T](q.name, body)
	if err != nil {
		return "", httpError{http.StatusBadRequest, err}
	}
	options := requestParams(r)
	if !isFIFO(q.name) {
		return q.Push(r.Context(), payload, options...)
	}
	group := r.PathValue("group")
	if group == "" {
		return "", httpError{http.StatusBadRequest, fmt.Errorf("queue %q: %w in the path", q.name, ErrNoGroup)}
	}
	return q.Group(group).Push(r.Context(), payload, options...)
}

func checkContentType[T any](header string) error {
	switch any(*new(T)).(type) {
	case string, []byte:
		return nil
	}
	kind, _, err := mime.ParseMediaType(header)
	if err != nil || kind != "application/json" {
		return fmt.Errorf("content type %q: only application/json is accepted", header)
	}
	return nil
}

var pathWildcard = regexp.MustCompile(`\{([^}.$]+)(\.\.\.)?\}`)

func requestParams(r *http.Request) []PushOption {
	var options []PushOption
	for key, values := range r.URL.Query() {
		if key != "" {
			options = append(options, Param(key, values[0]))
		}
	}
	for _, wildcard := range pathWildcard.FindAllStringSubmatch(r.Pattern, -1) {
		if name := wildcard[1]; name != "group" {
			options = append(options, Param(name, r.PathValue(name)))
		}
	}
	return options
}

func answerError(w http.ResponseWriter, r *http.Request, queue string, err error) {
	if e := (httpError{}); errors.As(err, &e) {
		answerJSON(w, e.status, map[string]string{"error": e.Error()})
		return
	}
	// What went wrong inside is not the client's business.
	slog.ErrorContext(r.Context(), "could not push a job for a request", "queue", queue, "error", err)
	answerJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "the job could not be stored, try again later"})
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that went away is not there to be told.
	_ = json.NewEncoder(w).Encode(body)
}
