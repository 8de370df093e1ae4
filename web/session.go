package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
)

// startSession gives who has shown a secret a cookie that does so from now on. It is
// made with a key that only this Access has, so it ends with the process, and nobody
// learns the secret from it.
func (a *Access) startSession(w http.ResponseWriter, r *http.Request, who *Principal) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionName(r), Value: a.sessionValue(who), Path: "/",
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// session returns whose cookie a request has, or nil.
func (a *Access) session(r *http.Request) *Principal {
	cookie, err := r.Cookie(sessionName(r))
	if err != nil {
		return nil
	}
	for i := range a.Principals {
		p := &a.Principals[i]
		if p.Secret != "" && hmac.Equal([]byte(cookie.Value), []byte(a.sessionValue(p))) {
			return p
		}
	}
	return nil
}

func (a *Access) sessionValue(who *Principal) string {
	a.once.Do(func() {
		a.key = make([]byte, sha256.Size)
		rand.Read(a.key) // never fails
	})
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte(who.Secret))
	return hex.EncodeToString(mac.Sum(nil))
}

// sessionName is the name of the cookie. Browsers send the cookies of one port of a
// host to all others: programs beside each other must not replace each other's.
func sessionName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "queuerun-" + port
	}
	return "queuerun"
}
