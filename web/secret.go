package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"
)

// tokenParam is the parameter of a URL that has a secret.
const tokenParam = "token"

// secret is what somebody gave to be let in.
type secret struct {
	text  string
	inURL bool
}

// givenSecret returns the secret that a request has.
func givenSecret(r *http.Request) (s secret, ok bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return secret{text: password}, true
	}
	if kind, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(kind, "Bearer") {
		return secret{text: strings.TrimSpace(token)}, true
	}
	if query := r.URL.Query(); query.Has(tokenParam) {
		return secret{query.Get(tokenParam), true}, true
	}
	return secret{}, false
}

// holder returns whose secret it is, or nil. The time it takes depends neither on how
// much of the secret is right nor on its length.
func (a *Access) holder(given secret) *Principal {
	var who *Principal
	a256 := sha256.Sum256([]byte(given.text))
	for i := range a.Principals {
		p := &a.Principals[i]
		b256 := sha256.Sum256([]byte(p.Secret))
		if subtle.ConstantTimeCompare(a256[:], b256[:]) == 1 && p.Secret != "" && (p.InURL || !given.inURL) {
			who = p
		}
	}
	return who
}

// withoutToken sends a browser that has a secret in its address to the address
// without it, and reports whether it did: what is there is copied, and sent to others.
// Programs do not ask for HTML, and have no cookies.
func withoutToken(w http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if !query.Has(tokenParam) || r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	query.Del(tokenParam)
	// Two slashes in front would name another host.
	to := url.URL{Path: "/" + strings.TrimLeft(r.URL.Path, "/"), RawQuery: query.Encode()}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
	return true
}
