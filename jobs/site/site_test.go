package site

import (
	"strings"
	"testing"
)

func TestOriginsAreReadAsTheyAreMeant(t *testing.T) {
	for s, want := range map[string]string{
		"https://app.example.com":      "https://app.example.com",
		"https://app.example.com/":     "https://app.example.com",
		"HTTPS://App.Example.COM":      "https://app.example.com",
		"https://app.example.com:443":  "https://app.example.com",
		"https://app.example.com:0443": "https://app.example.com",
		"http://app.example.com:80":    "http://app.example.com",
		"http://app.example.com:443":   "http://app.example.com:443",
		"https://app.example.com:8443": "https://app.example.com:8443",
		"http://localhost:3000":        "http://localhost:3000",
		"http://[::1]:3000":            "http://[::1]:3000",
		"http://[0:0:0::1]":            "http://[::1]",
		"http://127.0.0.1":             "http://127.0.0.1",
		"https://xn--bcher-kva.de":     "https://xn--bcher-kva.de",
		"capacitor://localhost":        "capacitor://localhost",
		"chrome-extension://abcdef":    "chrome-extension://abcdef",
	} {
		o, err := ParseOrigin(s)
		if err != nil || o.String() != want {
			t.Errorf("%s: got %v, %v, want %s", s, o, err, want)
		}
	}
}

func TestOriginsThatNoPageHas(t *testing.T) {
	for s, want := range map[string]string{
		"":                              "is empty",
		"app.example.com":               "has no scheme: write https://",
		"app.example.com:8080":          "has no scheme",
		"//app.example.com":             "has no scheme",
		"https://b\u00fccher.de":        "in ASCII",
		"https://*.example.com":         `a "*" does not stand for a part`,
		"https://app.example.com/app":   "more than a scheme, a host and a port",
		"https://app.example.com//":     "more than",
		"https://app.example.com?x=y":   "more than",
		"https://me@app.example.com":    "more than",
		"https://app.example.com:https": "malformed",
		"https://app.example.com:70000": "from 0 to 65535",
		"wss://app.example.com":         "pages are from http:// and https://",
		"https://":                      "the host is empty",
		"https://a b":                   "malformed",
		"https://a_b,c":                 "neither a name nor an address",
		"http://127.1":                  "write it in full",
		"file://":                       "the host is empty",
	} {
		if o, err := ParseOrigin(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want an error with %q", s, o, err, want)
		}
	}
}

func TestHostsThatAnOriginIsServedBy(t *testing.T) {
	for _, test := range []struct {
		origin, host string
		want         bool
	}{
		{"https://app.example.com", "app.example.com", true},
		{"https://app.example.com", "app.example.com:443", true},
		{"https://app.example.com", "APP.example.com", true},
		{"http://app.example.com", "app.example.com", true},
		{"http://app.example.com", "app.example.com:80", true},
		{"http://app.example.com", "app.example.com:443", false},
		{"https://app.example.com", "app.example.com:80", false},
		{"https://app.example.com:8443", "app.example.com:8443", true},
		{"https://app.example.com:8443", "app.example.com", false},
		{"https://app.example.com", "app.example.com.evil.example", false},
		{"https://app.example.com", "me@app.example.com", false},
		{"https://app.example.com", "", false},
		{"http://[::1]:8080", "[::1]:8080", true},
	} {
		o, err := ParseOrigin(test.origin)
		if err != nil || o.Serves(test.host) != test.want {
			t.Errorf("%s served by %q: %t, want %t (%v)", test.origin, test.host, !test.want, test.want, err)
		}
	}
}
