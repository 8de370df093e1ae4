package site

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestPagesOfOtherSites(t *testing.T) {
	var protection http.CrossOriginProtection
	if err := protection.AddTrustedOrigin("https://other.example"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, host, site, origin string
		cross                      bool
	}{
		{"POST", "app.example", "", "", false},
		{"POST", "app.example", "same-origin", "http://app.example", false},
		{"POST", "app.example:80", "", "http://app.example", false},
		{"POST", "app.example:443", "", "https://app.example", false},
		{"POST", "app.example:80", "", "https://app.example", true},
		{"POST", "app.example", "", "http://app.example:8080", true},
		{"POST", "app.example", "", "http://evil.example", true},
		{"POST", "app.example", "", "null", true},
		{"POST", "app.example", "cross-site", "http://app.example", true},
		{"POST", "app.example", "cross-site", "https://other.example", false},
		{"DELETE", "app.example", "same-site", "http://sub.app.example", true},
		{"GET", "app.example", "cross-site", "http://evil.example", false},
	} {
		r := httptest.NewRequest(test.method, "/", nil)
		r.Host = test.host
		r.Header.Set("Sec-Fetch-Site", test.site)
		r.Header.Set("Origin", test.origin)
		if err := CrossSite(&protection, r); (err != nil) != test.cross {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}
