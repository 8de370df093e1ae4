package web

import (
	"net/url"
	"testing"
)

func TestNamesInURLs(t *testing.T) {
	for name, want := range map[string]string{
		"0192c3a4-5b6c":  "0192c3a4-5b6c",
		"backup:1700000": "backup:1700000",
		"order#1":        "order~231",
		"order~231":      "order~7E231",
		"x/../y":         "x~2F..~2Fy",
		"order?1":        "order~3F1",
		"50%":            "50~25",
		"%2F":            "~252F",
		".":              "~2E",
		"..":             "~2E.",
		".env":           "~2Eenv",
		"v1.2.":          "v1.2.",
		`a\b`:            "a~5Cb",
		"a b":            "a b",
		"a  é ":          "a~20 é~20",
		" a :":           "~20a~20:",
		"é/ü":            "é~2Fü",
		"a\u2028\ufffd":  "a~E2~80~A8~EF~BF~BD",
		"\xff\n":         "~FF~0A",
		"$&":             "~24~26",
		"":               "",
	} {
		if got := nameInURL(name); got != want {
			t.Errorf("%q is written %q, want %q", name, got, want)
		}
	}
	for _, segment := range []string{"~", "a~2", "~2f", "~zz", "~41", "~C3~A9", ".", "..", "a~20b", " a", "a ", "a :run", "a  b", "order#1", "a/b", "~2E~2E", ".env", "~~23", "~-1"} {
		if name, ok := nameFromURL(segment); ok {
			t.Errorf("%q is taken for the name %q", segment, name)
		}
	}
}

// Every name has one segment of a path and every segment at most one name.
func FuzzNamesInURLs(f *testing.F) {
	for _, s := range []string{"order#1", "x/../y", "order?1", "a/b", "50%", "..", `a\b`, "a b", "%2F", "~23", "é/ü", `"quoted"`, "\xff", "~", "~2", "\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		segment := nameInURL(s)
		if back, ok := nameFromURL(segment); !ok || back != s {
			t.Errorf("%q is written %q, which is read as %q, %v", s, segment, back, ok)
		}
		if name, ok := nameFromURL(s); ok && nameInURL(name) != s {
			t.Errorf("%q is read as %q, which is written %q", s, name, nameInURL(name))
		}
		if s == "" {
			return
		}
		if name, ok := nameFromURL(segment + ":run"); !ok || name != s+":run" {
			t.Errorf("%q is read as %q, %v", segment+":run", name, ok)
		}
		// What a browser makes of it is one segment, and nothing else of a URL.
		u, err := url.Parse("http://h/queues/q/" + segment + "?size=1")
		if err != nil {
			t.Fatalf("%q: %v", segment, err)
		}
		if u = u.JoinPath(); u.Path != "/queues/q/"+segment || u.RawQuery != "size=1" || u.Fragment != "" {
			t.Errorf("%q ends up as %v", segment, u)
		}
	})
}
