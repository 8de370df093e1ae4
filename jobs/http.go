package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/jobs/site"
)

// HTTP returns a handler that pushes the body of a POST request as a job. It
// answers 202 with the job's id in the header X-Job-Id and as {"id": "..."}.
// The request's context carries the client and the user, as for Push.
//
// A Queue[string] or Queue[[]byte] takes a body of any content type as it is.
// Any other T takes JSON (application/json, or a type that ends in +json); and
// if it is a struct or a map, or a pointer to one, also a form
// (application/x-www-form-urlencoded or multipart/form-data). A body has at
// most 1 MiB. Numbers of JSON are stored as they were written, also those that go
// into an any. A member that T has no field for is an error: it is misspelt more often
// than it is superfluous, and a job without it would be accepted, run, and do
// something else than was asked for. AllowUnknown allows them.
//
// A form's fields go where encoding/json would put a member of their name, and
// unknown ones are ignored: browsers send those of buttons, and pages have more of
// their own, as against forgery. "address.city" is the field city of address, and
// "lines.0.sku" that of the first of lines; slices also take a field that is
// repeated, where anything else takes the last value. Numbers are decimal, a
// bool is true, false, 1, 0, on or off, times and other types with an
// UnmarshalText or UnmarshalJSON get the text, and []byte gets the bytes. A
// field left blank stays zero. An uploaded file counts as a field with its
// content. A form has at most 10,000 fields, no deeper than 32 dots.
//
// The path's {group} is the group of a FIFO queue, and {dedupe} an id for the
// job: a second push of it within 5 minutes is ignored and answered with the
// first job's id. The other path values, and the first value of each name in
// the query, are the job's Params; where both have a name, the path counts.
//
// Pages of other sites cannot push: their visitor's browser would send the cookies
// of this one with the request. Browsers say which site a page is of
// (net/http.CrossOriginProtection); who is no browser says nothing, and may push.
// AllowOrigins allows more.
//
// What is wrong is answered as {"error": "..."}:
//
//	400  a payload that does not fit, naming the field; a missing or empty
//	     group; an empty dedupe id; path or query not in UTF-8, or with a group
//	     of more than 1 KiB or params of more than 64 KiB
//	403  a page of another site sent it
//	405  a method other than POST
//	413  more than 1 MiB
//	415  a content type that the queue does not take
//	503  the job could not be stored, or no worker has ever handled the queue,
//	     or the queue has no groups and the path has {group}, or a decoder of
//	     the payload's own panicked
//
// What lies behind a 503 is logged with slog and not told to the client.
func (q *Queue[T]) HTTP() http.Handler { return q.HTTPWith() }

// HTTPWith is HTTP with options.
func (q *Queue[T]) HTTPWith(options ...HTTPOption) http.Handler {
	o := &httpOptions{}
	for _, option := range options {
		option(o)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := q.pushRequest(w, r, o)
		if err != nil {
			answerError(r.Context(), w, q.name, err)
			return
		}
		w.Header().Set("X-Job-Id", id)
		answerJSON(w, http.StatusAccepted, map[string]string{"id": id})
	})
}

func (q *Queue[T]) pushRequest(w http.ResponseWriter, r *http.Request, o *httpOptions) (string, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return "", httpError{http.StatusMethodNotAllowed, fmt.Errorf("method %s: only POST is allowed", r.Method)}
	}
	if site.CrossSite(&o.crossSite, r) != nil {
		return "", httpError{http.StatusForbidden, errors.New("a page of another site sent this request")}
	}
	to, params, err := readURL(r, isFIFO(q.name))
	if err != nil {
		return "", httpError{http.StatusBadRequest, err}
	}
	payload, err := readPayload[T](w, r, o.unknown)
	if err != nil {
		return "", err
	}
	ids, err := q.push(r.Context(), to, []T{payload}, params)
	return first(ids), err
}

// httpError is an error that the client made, with the status that says so.
type httpError struct {
	status int
	err    error
}

func (e httpError) Error() string { return e.err.Error() }

func answerError(ctx context.Context, w http.ResponseWriter, queue string, err error) {
	if e := (httpError{}); errors.As(err, &e) {
		answerJSON(w, e.status, map[string]string{"error": e.Error()})
		return
	}
	// What went wrong inside is not the client's business.
	args := []any{"queue", queue, "error", err}
	if panicked := new(guard.Panic); errors.As(err, &panicked) {
		args = append(args, "stack", panicked.Stack)
	}
	slog.ErrorContext(ctx, "could not push a job for a request", args...)
	answerJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "the job could not be stored, try again later"})
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A client that went away is not there to be told.
	_ = json.NewEncoder(w).Encode(body)
}
