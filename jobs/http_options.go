package jobs

import (
	"fmt"
	"net/http"

	"github.com/queuerun/queuerun/jobs/site"
)

// HTTPOption changes what a handler of HTTPWith takes.
type HTTPOption func(*httpOptions)

type httpOptions struct {
	unknown   bool // members of JSON
	crossSite http.CrossOriginProtection
}

// AllowUnknown lets the objects of a JSON body have members that the payload has no
// field for, and ignores them: for senders that are not the program's own and add to
// what they send without asking, as those of webhooks do.
func AllowUnknown() HTTPOption { return func(o *httpOptions) { o.unknown = true } }

// AllowOrigins lets the pages of other origins push, such as
// "https://app.example.com" for a program at https://api.example.com. A browser also
// asks whether they may send JSON (CORS), which is for the program to answer. An
// origin that no page has panics, as a bad name of a queue does.
func AllowOrigins(origins ...string) HTTPOption {
	return func(o *httpOptions) {
		for _, origin := range origins {
			read, err := site.ParseOrigin(origin)
			if err == nil {
				err = o.crossSite.AddTrustedOrigin(read.String())
			}
			if err != nil {
				panic(fmt.Sprintf("jobs: AllowOrigins: %v", err))
			}
		}
	}
}
