package client_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/web/client"
)

func ask(method, tag string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/queuerun.js", nil)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	w := httptest.NewRecorder()
	client.Handler().ServeHTTP(w, r)
	return w
}

func TestHandlerServesTheModule(t *testing.T) {
	source, err := os.ReadFile("queuerun.js")
	if err != nil {
		t.Fatal(err)
	}
	whole := ask("GET", "")
	if whole.Code != 200 || whole.Body.String() != string(source) {
		t.Errorf("GET: %d with %d bytes, the file has %d", whole.Code, whole.Body.Len(), len(source))
	}
	if got := whole.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/javascript") {
		t.Errorf("the content type is %q", got)
	}
	head := ask("HEAD", "")
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != whole.Header().Get("Content-Length") {
		t.Errorf("HEAD: %d with %d bytes and %v", head.Code, head.Body.Len(), head.Header())
	}
	if got := ask("POST", ""); got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, allowed are %q", got.Code, got.Header().Get("Allow"))
	}
}

func TestACopyIsUsedAsLongAsItIsTheSame(t *testing.T) {
	first := ask("GET", "")
	if got := first.Header().Get("Cache-Control"); got != "no-cache" {
		t.Errorf("Cache-Control is %q: an old copy would be used with a new server", got)
	}
	if got := ask("GET", first.Header().Get("ETag")); got.Code != http.StatusNotModified || got.Body.Len() != 0 {
		t.Errorf("with the tag: %d and %d bytes", got.Code, got.Body.Len())
	}
	if got := ask("GET", `"another"`); got.Code != 200 {
		t.Errorf("with another tag: %d", got.Code)
	}
}
