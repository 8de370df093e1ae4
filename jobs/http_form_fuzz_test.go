package jobs

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fuzzed has what forms are decoded into, itself included. []byte is left out:
// its JSON cannot be told from text when it is turned into a form again.
type fuzzed struct {
	S string            `json:"s,omitempty"`
	I int               `json:"i"`
	U uint8             `json:"u,string"`
	F float32           `json:"f"`
	B bool              `json:"b,omitempty"`
	T time.Time         `json:"t"`
	P *string           `json:"p"`
	Q string            `json:"q,string,omitempty"`
	L []string          `json:"l"`
	N [][]int           `json:"n"`
	M map[string]string `json:"m"`
	R *fuzzed           `json:"r"`
	K []fuzzed          `json:"k"`
	X string            `json:"-"`
	fuzzedInside
}

type fuzzedInside struct {
	In string `json:"in"`
}

// What is accepted is what the worker gets, and the same again when it is
// sent as a form again. Nothing may panic.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"s=x&i=7&u=255&f=1.5&b=on&t=2026-01-02T03:04:05Z&p=&q=x&in=y", "l=a&l=&l=b", "n.0=1&n.0=2&n.1=3", "n=1",
		"m.a=1&m.=2", "r.r.s=x&r.=1", "k.1.s=b&k.0.s=a&k.2.=", "k.-1.s=a", "k[0].s=a&a[=&]=", "I=1&i=2", "s=%ff", "=x&.=y", "f=-0", "f=1e39",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		payload, err := decodeForm[fuzzed](readURLEncoded([]byte(body)))
		if err != nil {
			return
		}
		data, err := encode(payload)
		if err != nil {
			t.Fatalf("form %q: accepted and not encoded: %v", body, err)
		}
		arrived, err := decode[fuzzed]("fuzz", data)
		if err != nil || !reflect.DeepEqual(arrived, payload) {
			t.Fatalf("form %q: %+v arrives as %+v, %v", body, payload, arrived, err)
		}
		again, err := decodeForm[fuzzed](formOf(t, data), nil)
		if err != nil || !reflect.DeepEqual(again, payload) {
			t.Fatalf("form %q: %s comes back as %+v, %v", body, data, again, err)
		}
	})
}

// Any bytes are a multipart body or are refused.
func FuzzMultipart(f *testing.F) {
	f.Add("--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n")
	f.Add("--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n--b--")
	f.Add("--b--")
	f.Fuzz(func(t *testing.T, body string) {
		payload, err := decodeForm[url.Values](readMultipart(strings.NewReader(body), "b"))
		if err != nil {
			return
		}
		data, err := encode(payload)
		if err != nil {
			t.Fatalf("body %q: accepted and not encoded: %v", body, err)
		}
		if arrived, err := decode[url.Values]("fuzz", data); err != nil || !reflect.DeepEqual(arrived, payload) {
			t.Fatalf("body %q: %q arrives as %q, %v", body, payload, arrived, err)
		}
	})
}

// formOf writes JSON as a form, the other way round than decodeForm.
func formOf(t *testing.T, data []byte) url.Values {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	addToForm(form, "", value)
	return form
}

func addToForm(form url.Values, name string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			addToForm(form, join(name, key), member)
		}
	case []any:
		for i, element := range value {
			addToForm(form, join(name, strconv.Itoa(i)), element)
		}
	case json.Number:
		form.Set(name, value.String())
	case bool:
		form.Set(name, strconv.FormatBool(value))
	case string:
		if name == "q" || strings.HasSuffix(name, ".q") { // is quoted once more
			value, _ = strconv.Unquote(value)
		}
		form.Set(name, value)
	}
}
