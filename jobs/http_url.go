package jobs

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"unicode/utf8"
)

var pathWildcard = regexp.MustCompile(`\{([^}.$]+)(\.\.\.)?\}`)

// readURL returns where the path of a request says that the job goes, and the
// params in its path and query. Every error is the client's.
func readURL(r *http.Request, fifo bool) (to target, params []PushOption, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return to, nil, fmt.Errorf("the query is malformed: %w", err)
	}
	for key, values := range query {
		if !utf8.ValidString(key) || !utf8.ValidString(values[0]) {
			return to, nil, fmt.Errorf("the query's %q is not valid UTF-8", key)
		}
		if key != "" {
			params = append(params, Param(key, values[0]))
		}
	}
	for name, value := range pathValues(r) {
		if !utf8.ValidString(value) {
			return to, nil, fmt.Errorf("the path's {%s} is not valid UTF-8", name)
		}
		switch name {
		case "group":
			to.group, to.grouped = value, true
		case "dedupe":
			to.dedupe, to.deduped = value, true
		default:
			params = append(params, Param(name, value))
		}
	}
	if err := checkURL(to, params); err != nil {
		return to, nil, err
	}
	switch {
	case fifo && to.group == "":
		return to, nil, fmt.Errorf("%w in the path", ErrNoGroup)
	case to.deduped && to.dedupe == "":
		return to, nil, errors.New("the dedupe id in the path is empty")
	}
	return to, params, nil
}

// checkURL refuses what a job could not have.
func checkURL(to target, params []PushOption) error {
	headers := map[string]string{headerGroup: to.group}
	return checkBounds(nil, headers, applyPushOptions(params))
}

// pathValues returns the path's values by name. Routers other than ServeMux
// may set values without a pattern, of which only ours can be asked for.
func pathValues(r *http.Request) map[string]string {
	values := map[string]string{}
	for _, wildcard := range pathWildcard.FindAllStringSubmatch(r.Pattern, -1) {
		values[wildcard[1]] = r.PathValue(wildcard[1])
	}
	for _, name := range []string{"group", "dedupe"} {
		if value := r.PathValue(name); value != "" {
			values[name] = value
		}
	}
	return values
}
