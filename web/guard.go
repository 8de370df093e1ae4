package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// guarded lets in who knows the password, or, when it is empty, who is on this
// machine.
func guarded(password string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case password != "" && !knows(password, r):
			w.Header().Set("WWW-Authenticate", `Basic realm="monitoring", charset="UTF-8"`)
			writeError(w, http.StatusUnauthorized, "this page needs the dashboard's password")
		case password == "" && !local(r):
			writeError(w, http.StatusForbidden, "without a password this page is open only to the "+
				"machine that serves it, as http://localhost")
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// knows reports whether the request carries the password. The time it takes does
// not depend on how much of the password is right, nor on its length.
func knows(password string, r *http.Request) bool {
	_, given, _ := r.BasicAuth()
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(password))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
