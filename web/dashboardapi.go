package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hibiken/asynq"
)

// dashboardAPI stands between the dashboard's page and asynqmon. The page sees
// names as nameInURL writes them, and asynqmon as they are. Requests about one job
// or schedule, whose names asynqmon's router could not tell from a path, are
// answered here.
type dashboardAPI struct {
	owner     owner
	asynqmon  http.Handler
	inspector *asynq.Inspector
}

// apiPath is what the paths of the page's requests begin with.
const apiPath = dashboardPath + "/api/"

// maxSelection bounds a request about jobs that were selected on a page.
const maxSelection = 1 << 20

func (a *dashboardAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, apiPath) {
		a.asynqmon.ServeHTTP(w, r)
		return
	}
	segments, ok := apiSegments(r.URL)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if a.shown(w, r, segments) {
		return
	}
	names, ok := apiNames(segments)
	if !ok {
		http.Error(w, "the dashboard has no such name; reload the page", http.StatusNotFound)
		return
	}
	if queue, ok := queueOf(names); ok && !a.owner.has(queue) {
		notOurs(w)
		return
	}
	if a.changed(w, r, names) || a.cancelled(w, r, names) {
		return
	}
	if slices.ContainsFunc(names, unroutable) {
		http.Error(w, `a queue or group whose name has a "/", or is "." or "..", cannot be opened here`, http.StatusNotFound)
		return
	}
	a.pass(w, r, names)
}

// apiSegments are the segments of a path below apiPath.
func apiSegments(u *url.URL) ([]string, bool) {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, escaped := range segments {
		var err error
		if segments[i], err = url.PathUnescape(escaped); err != nil {
			return nil, false
		}
	}
	above := strings.Count(apiPath, "/")
	if len(segments) <= above || strings.Join(segments[:above], "/")+"/" != apiPath {
		return nil, false
	}
	return segments[above:], true
}

// apiNames are the names in segments, and the words of the path, which stay what
// they are.
func apiNames(segments []string) ([]string, bool) {
	names := make([]string, len(segments))
	for i, segment := range segments {
		var ok bool
		if names[i], ok = nameFromURL(segment); !ok {
			return nil, false
		}
	}
	return names, true
}

// unroutable reports whether asynqmon's router takes a name for something else: it
// looks at paths that are unescaped, and cleans them.
func unroutable(name string) bool {
	return name == "." || name == ".." || strings.Contains(name, "/")
}

// pass lets asynqmon answer.
func (a *dashboardAPI) pass(w http.ResponseWriter, r *http.Request, names []string) {
	in := r.Clone(r.Context())
	in.URL.Path, in.URL.RawPath = apiPath+strings.Join(names, "/"), ""
	if r.Method == http.MethodPost && strings.Contains(names[len(names)-1], ":batch_") {
		ids, err := selection(http.MaxBytesReader(w, r.Body, maxSelection))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body, _ := json.Marshal(map[string][]string{"task_ids": ids}) // It always can be.
		in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	out := &heldAnswer{header: w.Header(), status: http.StatusOK}
	a.asynqmon.ServeHTTP(out, in)
	var v any
	if out.status == http.StatusOK && decodeNumbers(out.body.Bytes(), &v) == nil {
		a.owner.only(v)
		writeJSON(w, out.status, forPage("", v))
		return
	}
	w.WriteHeader(out.status)
	w.Write(out.body.Bytes())
}

// notOurs answers a request about what belongs to another app.
func notOurs(w http.ResponseWriter) {
	http.Error(w, "this app has no such queue or schedule", http.StatusNotFound)
}

// selection returns the ids, as they are, in a request about selected jobs.
func selection(body io.Reader) ([]string, error) {
	var selected struct {
		IDs []string `json:"task_ids"`
	}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields() // or nothing would be selected, without a word
	if err := decoder.Decode(&selected); err != nil {
		return nil, err
	}
	for i, id := range selected.IDs {
		name, ok := nameFromURL(id)
		if !ok || !utf8.ValidString(name) {
			return nil, fmt.Errorf("the dashboard has no job %q; reload the page", id)
		}
		selected.IDs[i] = name
	}
	return selected.IDs, nil
}

// heldAnswer keeps an answer.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header         { return h.header }
func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }

func decodeNumbers(data []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(v)
}
