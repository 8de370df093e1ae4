package socket

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

func TestPositionsAreReadAsAMapWouldBe(t *testing.T) {
	for _, object := range []string{
		`{}`, ` { } `, `null`, `{"":"p"}`, `{"a":"1","b":"2","a":"3"}`, "{ \"a\" :\t\"1\" ,\n\"b\":\"2\" }",
		`{"\u0061\"}":"\\","b,":"}"}`, `{"é":"1","` + "\xff" + `":"2"}`, `{"a":null}`, `{"a":"}","b":","}`,
		`{"a":1}`, `{"a":{}}`, `{"a":"1","b":[]}`, `{"a":true}`, `[]`, `"a"`, `1`, `{"a":"1","b":{"c":"d"}}`,
	} {
		var want map[string]string
		var got positions
		wrong, err := json.Unmarshal([]byte(object), &want), json.Unmarshal([]byte(object), &got)
		if (wrong == nil) != (err == nil) {
			t.Errorf("%s: %v, and as a map %v", object, err, wrong)
		}
		if err != nil {
			continue
		}
		if at, others := got.split(func(string) bool { return true }); !maps.Equal(at, want) || others != nil {
			t.Errorf("%s was read as %q and %q, want %q", object, at, others, want)
		}
		at, others := got.split(func(string) bool { return false })
		slices.Sort(others)
		if names := slices.Sorted(maps.Keys(want)); len(at) > 0 || !slices.Equal(slices.Compact(others), names) {
			t.Errorf("%s has the names %q, want %q", object, others, names)
		}
	}
}

func FuzzPositions(f *testing.F) {
	f.Add([]byte(`{"":"p","#room":"q"}`))
	f.Add([]byte(`{"a\u0062":null, "c" : "d"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var want map[string]string
		var got positions
		wrong, err := json.Unmarshal(data, &want), json.Unmarshal(data, &got)
		if (wrong == nil) != (err == nil) {
			t.Fatalf("%q: %v, and as a map %v", data, err, wrong)
		}
		if err == nil {
			if at, _ := got.split(func(string) bool { return true }); !maps.Equal(at, want) {
				t.Fatalf("%q was read as %q, want %q", data, at, want)
			}
		}
	})
}
