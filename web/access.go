package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/jobs/rarely"
	"github.com/queuerun/queuerun/jobs/site"
)

// Access decides who may look at what a server serves itself, such as the dashboard
// and the metrics, and who may act through it. It is the one place where this is
// decided: those who serve something ask Admit. Set the fields before the first
// request. Neither nil nor the zero value lets anybody in.
//
// Who somebody is, is told by a secret alone. The address of a client, the name that
// it asks for and the headers of a proxy do not: a proxy on the same machine makes
// everybody's address a local one, and need not say that it is there.
type Access struct {
	// Open lets everybody in, with all scopes. It is for development, for a server that
	// only this machine can reach. Let Server.Hosts keep out the pages that make a name
	// of their own mean this machine.
	Open bool

	// Principals are those who are let in by a secret.
	Principals []Principal

	// Logger is told of wrong secrets: of the first at once, then once a minute. Nil
	// means slog.Default().
	Logger *slog.Logger

	crossSite http.CrossOriginProtection
	guesses   guesses
	wrong     rarely.Log

	once sync.Once
	key  []byte // of the sessions
}

// Principal is somebody who may do something.
type Principal struct {
	// Name is for people: "password".
	Name string

	// Secret is what shows that a request is the principal's. It may be given as the
	// password of HTTP Basic authentication, with any user name, or as
	// "Authorization: Bearer" and the secret. Empty lets nobody in.
	Secret string

	// InURL lets the secret also be given as ?token= in the URL, which histories and
	// logs keep: for a secret that is soon worth nothing.
	InURL bool

	// Scopes are what the principal may do.
	Scopes Scope
}

// anybody is who makes requests to an Access that is open.
var anybody = &Principal{Name: "anybody", Scopes: AllScopes}

// Admit reports whether whoever makes a request has the scopes that it needs.
// Otherwise it has answered the request: with 401 when there is no secret or a wrong
// one, with 429 after many wrong ones, and with 403 when the scopes do not suffice or a
// page of another site sent the request, unless its method is GET, HEAD or OPTIONS. It
// also answers a browser that has the secret in its address: with a cookie, and a
// redirection to the address without it.
//
// Who gave a secret gets a cookie, which holds as long as this Access does: guesses of
// others do not shut out who is in.
func (a *Access) Admit(w http.ResponseWriter, r *http.Request, needed Scope) bool {
	if a == nil {
		writeError(w, http.StatusForbidden, "nobody is let in here")
		return false
	}
	if site.CrossSite(&a.crossSite, r) != nil {
		writeError(w, http.StatusForbidden, "a page of another site sent this request")
		return false
	}
	who := a.identify(w, r)
	if who == nil {
		return false
	}
	if !who.Scopes.Has(needed) {
		writeError(w, http.StatusForbidden, fmt.Sprintf("this needs the scopes %v, and there are only: %v", needed, who.Scopes))
		return false
	}
	return !withoutToken(w, r)
}

// identify returns who makes a request. It answers it and returns nil if it is nobody.
func (a *Access) identify(w http.ResponseWriter, r *http.Request) *Principal {
	if a.Open {
		return anybody
	}
	if who := a.session(r); who != nil {
		return who
	}
	given, ok := givenSecret(r)
	if !ok {
		a.challenge(w, "")
		return nil
	}
	if !a.guesses.take(r.RemoteAddr) {
		w.Header().Set("Retry-After", guessAgain)
		writeError(w, http.StatusTooManyRequests, "too many wrong passwords or tokens, try again later")
		return nil
	}
	who := a.holder(given)
	if who == nil {
		a.wrong.Note(guard.Logger(a.Logger), "a wrong password or token was given", "client", r.RemoteAddr, "host", fmt.Sprintf("%.100s", r.Host))
		a.challenge(w, "wrong password or token: ")
		return nil
	}
	a.guesses.giveBack(r.RemoteAddr)
	a.startSession(w, r, who)
	return who
}

// challenge answers a request of nobody with what would be let in.
func (a *Access) challenge(w http.ResponseWriter, reason string) {
	for _, p := range a.Principals {
		if p.Secret != "" && !p.InURL {
			w.Header().Set("WWW-Authenticate", `Basic realm="monitoring", charset="UTF-8"`)
			writeError(w, http.StatusUnauthorized, reason+"this page needs its password")
			return
		}
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="monitoring"`)
	writeError(w, http.StatusUnauthorized, reason+"this page needs the token that the program has written to its log "+
		"when it started: open the address that is there, or send the token as Authorization: Bearer")
}

// scopeOf is what a request for the pages of asynqmon needs: those that only look are
// GET and HEAD.
func scopeOf(r *http.Request) Scope {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return ScopeRead
	}
	return ScopeOperate
}
