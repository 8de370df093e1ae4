package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, path string) (*http.Response, string) {
	t.Helper()
	w := httptest.NewRecorder()
	page().ServeHTTP(w, httptest.NewRequest(method, path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func TestPage(t *testing.T) {
	for path, contentType := range map[string]string{
		"/":           "text/html",
		"/style.css":  "text/css",
		"/app.js":     "text/javascript",
		"/session.js": "text/javascript",
		"/icon.svg":   "image/svg+xml",
	} {
		res, body := get(t, "GET", path)
		if res.StatusCode != 200 || body == "" || !strings.HasPrefix(res.Header.Get("Content-Type"), contentType) {
			t.Errorf("GET %s: %s, %q, %d bytes", path, res.Status, res.Header.Get("Content-Type"), len(body))
		}
		if got := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none';") || strings.Contains(got, "unsafe") {
			t.Errorf("GET %s: Content-Security-Policy %q", path, got)
		}
		if got := res.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("GET %s: X-Content-Type-Options %q", path, got)
		}
	}
	if res, _ := get(t, "GET", "/other"); res.StatusCode != 404 {
		t.Errorf("GET /other: %s", res.Status)
	}
	if res, _ := get(t, "POST", "/"); res.StatusCode != 405 {
		t.Errorf("POST /: %s", res.Status)
	}
}

// What the policy forbids would fail in the browser without a word to anyone.
func TestPageKeepsItsOwnPolicy(t *testing.T) {
	_, html := get(t, "GET", "/")
	for _, forbidden := range []string{`\sstyle=`, `\son[a-z]+=`, `<script(?:\s[^>]*)?>[^<]`, `<style`, `(?:src|href)="(?:https?:)?//`} {
		if found := regexp.MustCompile(forbidden).FindString(html); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
}
