package jobs_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

type orderLine struct {
	SKU   string `json:"sku,omitempty"`
	Count int8   `json:"count,omitempty"`
}

type audited struct {
	By string `json:"by,omitempty"`
}

type purchase struct {
	Name   string            `json:"name,omitempty"`
	Secret string            `json:"-"`
	Plain  string            `json:",omitempty"`
	Total  int               `json:"total,omitempty"`
	Small  uint8             `json:"small,omitempty"`
	Price  float64           `json:"price,omitempty"`
	Gift   bool              `json:"gift,omitempty"`
	At     time.Time         `json:"at,omitzero"`
	Wait   time.Duration     `json:"wait,omitempty"`
	Code   int               `json:"code,string,omitempty"`
	Tags   []string          `json:"tags,omitempty"`
	Sizes  []int             `json:"sizes,omitempty"`
	Note   *string           `json:"note,omitempty"`
	First  orderLine         `json:"first,omitzero"`
	Second *orderLine        `json:"second,omitempty"`
	Lines  []orderLine       `json:"lines,omitempty"`
	Extra  map[string]string `json:"extra,omitempty"`
	Any    any               `json:"any,omitempty"`
	Color  color             `json:"color,omitempty"`
	Scan   []byte            `json:"scan,omitempty"`
	Within *purchase         `json:"within,omitempty"`
	audited
}

// color has an opinion on what it is decoded from.
type color string

func (c *color) UnmarshalText(text []byte) error {
	if string(text) != "red" {
		return colorError(text)
	}
	*c = color(text)
	return nil
}

type colorError string

func (e colorError) Error() string { return string(e) + " is no color that we have" }

// The table says what is stored, or with which words it is refused.
func TestHTTPDecodesForms(t *testing.T) {
	for _, test := range []struct{ form, stored, refused string }{
		{"name=Ada+L.&total=3", `{"name":"Ada L.","total":3}`, ""},
		{"NAME=Ada", `{"name":"Ada"}`, ""},
		{"name=a&name=b", `{"name":"b"}`, ""},
		{"unknown=1&name.first=x&total.x=1&=y&.=z&name", `{}`, ""},
		{"", `{}`, ""},
		{"Secret=1&-=1", `{}`, ""},
		{"Plain=1&by=ada", `{"Plain":"1","by":"ada"}`, ""},
		{"total=&price=&gift=&at=&code=&sizes=&second=&lines=&extra=&color=&note=", `{"note":""}`, ""},
		{"total=007&small=255&price=1.50&code=12&wait=5", `{"total":7,"small":255,"price":1.5,"wait":5,"code":"12"}`, ""},
		{"gift=on", `{"gift":true}`, ""},
		{"gift=0&gift=1", `{"gift":true}`, ""},
		{"at=2026-01-02T03:04:05Z", `{"at":"2026-01-02T03:04:05Z"}`, ""},
		{"tags=a&tags=b&sizes=1&sizes=2", `{"tags":["a","b"],"sizes":[1,2]}`, ""},
		{"first.sku=x&first.count=2&second.SKU=y", `{"first":{"sku":"x","count":2},"second":{"sku":"y"}}`, ""},
		{"lines.1.sku=b&lines.0.sku=a&lines.4000000000.sku=c&lines.x.sku=d&lines.-1.sku=e", `{"lines":[{"sku":"a"},{"sku":"b"},{"sku":"c"}]}`, ""},
		{"extra.k=v&extra.a.b=w", `{"extra":{"a.b":"w","k":"v"}}`, ""},
		{"any=1", `{"any":"1"}`, ""},
		{"any=1&any=2", `{"any":["1","2"]}`, ""},
		{"color=red", `{"color":"red"}`, ""},
		{"scan=%ff%00", `{"scan":"/wA="}`, ""},
		{"within.within.name=x", `{"within":{"within":{"name":"x"}}}`, ""},
		{"[]=1&a[=1&]=2&lines[=x", `{}`, ""},

		{"total=abc", "", `field "total": "abc" is not a valid int`},
		{"total=1.5", "", `field "total"`},
		{"small=256", "", `field "small"`},
		{"small=-1", "", `field "small"`},
		{"price=NaN", "", `field "price"`},
		{"price=1e999", "", `field "price"`},
		{"gift=maybe", "", `field "gift": "maybe" is not a valid bool`},
		{"at=tomorrow", "", `field "at"`},
		{"sizes=1&sizes=x", "", `field "sizes.1"`},
		{"first.count=1000", "", `field "first.count"`},
		{"lines.0.count=x", "", `field "lines.0.count"`},
		{"first=x", "", `field "first" has fields of its own`},
		{"lines=x", "", `field "lines.0" has fields of its own`},
		{"color=blue", "", `field "color": blue is no color that we have`},
		{"name=%ff", "", `field "name" is not valid UTF-8`},
		{"extra.%ff=1", "", "its name is not valid UTF-8"},
		{"code=x", "", `field "code"`},
		{strings.Repeat("within.", 100) + "name=x", "", "nested too deeply"},
		{strings.Repeat("name=x&", 10_001), "", "exceeded limit"},
		{"a=1;b=2", "", "semicolon"},
	} {
		checkBody[purchase](t, redistest.Embedded(t), "application/x-www-form-urlencoded", test.form, test.stored, test.refused)
	}
}

func TestHTTPDecodesBodiesByTheirType(t *testing.T) {
	const (
		urlencoded = "application/x-www-form-urlencoded; charset=utf-8"
		multi      = "multipart/form-data; boundary=b"
		form       = "k=1&k=2&x.y=3"
		parts      = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAda\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"scan\"; filename=\"../a.png\"\r\nContent-Type: image/png\r\n\r\n\xff\x00\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"tags\"; filename=\"t.txt\"\r\n\r\na\r\nb\r\n" +
			"--b\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--b--\r\n"
		binary = "--b\r\nContent-Disposition: form-data; name=\"name\"; filename=\"x\"\r\n\r\n\xff\r\n--b--\r\n"
		read   = `{"name":"Ada","tags":["a\r\nb"],"scan":"/wA="}`
	)
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		checkBody[purchase](t, rdb, "application/json", `{"name":"x","new":1}`, "", `unknown member "new"`)
		checkBody[purchase](t, rdb, "application/vnd.shop+json", `{"name":"x"}`, `{"name":"x"}`, "")
		checkBody[purchase](t, rdb, multi, parts, read, "")
		checkBody[purchase](t, rdb, multi, binary, "", `field "name" is not valid UTF-8`)
		checkBody[purchase](t, rdb, multi, "--b--\r\n", `{}`, "")
		checkBody[purchase](t, rdb, multi, strings.Repeat("--b\r\nX: y\r\n\r\n\r\n", 10_001)+"--b--\r\n", "", "more than 10000 parts")
		checkBody[*purchase](t, rdb, "application/json", "null", "null", "")
		checkBody[map[string]any](t, rdb, "application/json", "null", "null", "")
		checkBody[*purchase](t, rdb, multi, parts, read, "")
		checkBody[*purchase](t, rdb, urlencoded, "unknown=1", `{}`, "")
		checkBody[map[string]string](t, rdb, urlencoded, form, `{"k":"2","x.y":"3"}`, "")
		checkBody[map[string]string](t, rdb, urlencoded, "", `{}`, "")
		checkBody[map[string]any](t, rdb, urlencoded, form, `{"k":["1","2"],"x.y":"3"}`, "")
		checkBody[map[string][]string](t, rdb, urlencoded, form, `{"k":["1","2"],"x.y":["3"]}`, "")
		checkBody[url.Values](t, rdb, urlencoded, form, `{"k":["1","2"],"x.y":["3"]}`, "")
		checkBody[map[string]int](t, rdb, urlencoded, "a=1&b=x", "", `field "b": "x" is not a valid int`)
		checkBody[string](t, rdb, "text/plain", "hello", "hello", "")
		checkBody[string](t, rdb, "", "hello", "hello", "")
		checkBody[string](t, rdb, urlencoded, form, form, "")
		checkBody[[]byte](t, rdb, multi, binary, binary, "")
		checkBody[[]byte](t, rdb, "image/png", "\xff\x00", "\xff\x00", "")
		checkBody[time.Time](t, rdb, "application/json", `"tomorrow"`, "", "tomorrow")
		checkBody[purchase](t, rdb, "application/json", `{"color":"blue"}`, "", "blue is no color that we have")
		checkBody[purchase](t, rdb, "application/json", `{"code":"x"}`, "", "does not fit")
		checkBody[purchase](t, rdb, "application/json", `{"lines":[{"count":1000}]}`, "", `field "lines.count": a JSON number 1000 does not fit`)
	})
}

// checkBody posts a body to a Queue[T] and checks what is stored or, if
// refused is not empty, the answer 400.
func checkBody[T any](t *testing.T, rdb *redis.Client, kind, body, stored, refused string) {
	t.Helper()
	queue := jobs.NewQueue[T]("bodies")
	answer := do(clientContext(rdb, queue.Handle(ignore[T])), queue.HTTP(), "POST", "/", kind, body)
	if refused != "" {
		checkError(t, body, answer, http.StatusBadRequest, strings.ReplaceAll(refused, `"`, `\"`))
		return
	}
	if answer.Code != http.StatusAccepted {
		t.Errorf("%T from %s %.80q: answer %d %s", *new(T), kind, body, answer.Code, answer.Body)
		return
	}
	info, err := inspect(rdb).GetTaskInfo("bodies", answer.Header().Get("X-Job-Id"))
	if err != nil || string(info.Payload) != stored {
		t.Errorf("%T from %s %.80q: stored %+v, %v, want %s", *new(T), kind, body, info, err, stored)
	}
}
