package main

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed static
var static embed.FS

// contentPolicy lets the page load its own files and open its own socket, and
// nothing else: should a message ever be taken for HTML, no script of it runs.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page returns the handler that serves the files in the directory static, with
// index.html at "/".
func page() http.Handler {
	files, err := fs.Sub(static, "static")
	if err != nil {
		panic(err) // the directory is part of the binary
	}
	server := http.FileServerFS(files)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		// The files have no version in their names: a new binary must not meet
		// an old script.
		h.Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
	return mux
}
