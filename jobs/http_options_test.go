package jobs_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A member that has no field is refused by its name, wherever it is, unless the
// handler allows it; what has no fields has no unknown ones.
func TestHTTPNamesUnknownMembers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		purchases, maps, texts := jobs.NewQueue[purchase]("purchases"), jobs.NewQueue[map[string]any]("maps"), jobs.NewQueue[string]("texts")
		ctx := clientContext(rdb, purchases.Handle(ignore[purchase]), maps.Handle(ignore[map[string]any]), texts.Handle(ignore[string]))
		for _, test := range []struct {
			queue  interface{ HTTP() http.Handler }
			body   string
			member string // that is named; empty: the body is taken
		}{
			{purchases, `{"nmae":"x"}`, "nmae"},
			{purchases, `{"name":"x","first":{"sku":"x","cuont":2}}`, "cuont"},
			{purchases, `{"lines":[{"sku":"x"},{"SKUs":"y"}]}`, "SKUs"},
			{purchases, `{"Secret":"x"}`, "Secret"}, // "-" keeps it out of JSON
			{purchases, `{"` + strings.Repeat("x", 1000) + `":1}`, strings.Repeat("x", 100)},
			{purchases, `{"NAME":"x","extra":{"anything":"goes"},"any":{"at":{"all":1}}}`, ""},
			{maps, `{"anything":"goes"}`, ""},
			{texts, `{"anything":"goes"}`, ""},
		} {
			answer := do(ctx, test.queue.HTTP(), "POST", "/", "application/json", test.body)
			if test.member != "" {
				checkError(t, test.body, answer, 400, `unknown member \"`+test.member+`\"`)
			} else if answer.Code != 202 {
				t.Errorf("%s: answer %d %s", test.body, answer.Code, answer.Body)
			}
		}
		answer := do(ctx, purchases.HTTPWith(jobs.AllowUnknown()), "POST", "/", "application/json", `{"new":1,"name":"x","first":{"new":2}}`)
		info, err := inspect(rdb).GetTaskInfo("purchases", answer.Header().Get("X-Job-Id"))
		if err != nil || string(info.Payload) != `{"name":"x"}` {
			t.Errorf("allowed: answer %d %s stores %+v, %v", answer.Code, answer.Body, info, err)
		}
		if answer := do(ctx, purchases.HTTPWith(jobs.AllowUnknown()), "POST", "/", "application/json", `{"name":"x"}{}`); answer.Code != 400 {
			t.Errorf("more than one value: answer %d", answer.Code)
		}
	})
}

// A browser says of which site a page is; who is none says nothing.
func TestHTTPRefusesPagesOfOtherSites(t *testing.T) {
	rdb := redistest.Embedded(t)
	orders := jobs.NewQueue[order]("orders")
	ctx := clientContext(rdb, orders.Handle(ignore[order]))
	trusting := orders.HTTPWith(jobs.AllowOrigins("HTTPS://app.example.com:443/", "http://localhost:3000"))
	for _, test := range []struct {
		name            string
		site, origin    string
		plain, trusting int
	}{
		{"no browser", "", "", 202, 202},
		{"its own page", "same-origin", "https://example.com", 202, 202},
		{"its own page, in an old browser", "", "https://example.com", 202, 202},
		{"typed into a browser", "none", "", 202, 202},
		{"another site", "cross-site", "https://evil.example", 403, 403},
		{"another site, in an old browser", "", "https://evil.example", 403, 403},
		{"a frame without an origin", "cross-site", "null", 403, 403},
		{"a frame without an origin, in an old browser", "", "null", 403, 403},
		{"another host of the site", "same-site", "https://app.example.com", 403, 202},
		{"another scheme of it", "cross-site", "http://app.example.com", 403, 403},
		{"another port", "same-site", "http://localhost:3000", 403, 202},
	} {
		for _, of := range []struct {
			handler http.Handler
			status  int
		}{{orders.HTTP(), test.plain}, {trusting, test.trusting}} {
			h, want := of.handler, of.status
			for kind, body := range map[string]string{"application/json": `{"id":"x"}`, "application/x-www-form-urlencoded": "id=x"} {
				r := httptest.NewRequestWithContext(ctx, "POST", "https://example.com/", strings.NewReader(body))
				r.Header.Set("Content-Type", kind)
				r.Header.Set("Cookie", "session=ada")
				for name, value := range map[string]string{"Sec-Fetch-Site": test.site, "Origin": test.origin} {
					if value != "" {
						r.Header.Set(name, value)
					}
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != want {
					t.Errorf("%s, %s: %d %s, want %d", test.name, kind, w.Code, w.Body, want)
				}
				if want == 403 {
					checkError(t, test.name, w, 403, "a page of another site sent this request")
				}
			}
		}
	}
}

func TestOriginsThatNoPageHasPanic(t *testing.T) {
	for _, origin := range []string{"app.example.com", "https://*.example.com", "wss://app.example.com", "null"} {
		func() {
			defer func() {
				if v, ok := recover().(string); !ok || !strings.Contains(v, "AllowOrigins") {
					t.Errorf("%s: panicked with %v", origin, v)
				}
			}()
			jobs.NewQueue[order]("orders").HTTPWith(jobs.AllowOrigins(origin))
		}()
	}
}
