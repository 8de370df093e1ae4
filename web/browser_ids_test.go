package web_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web/browsertest"
)

// The page does with jobs of any id what it is told to, and with those alone.
func testIDs(t *testing.T, browser *browsertest.Browser) {
	ids := []string{
		"order#1", "order?1", "order", "x/../y", "y", "a/b", "50%", ".", "..", `a\b`, "a b", "a b ", "%2F", "~23", "é/ü", `"quoted"`, "$&",
	}
	rdb := redistest.Embedded(t)
	y := newYard(t, rdb, "orders", "scheduled", ids...)
	b := newBoard(t, browser, rdb, "orders")
	want := y.states()
	each := func(list, button, leaves string) {
		t.Helper()
		b.open(list)
		for _, id := range ids {
			b.press(payload(id), button)
			if want[id] = leaves; leaves == "" {
				delete(want, id)
			}
			redistest.Eventually(t, patience, button+" of "+id, func() bool { return y.states()[id] == leaves })
			if got := y.states(); !maps.Equal(got, want) {
				t.Fatalf("%s of %q leaves %v, want %v", button, id, got, want)
			}
		}
	}
	all := func(list, button, leaves string) {
		t.Helper()
		b.open(list)
		b.See("the last job", row(payload(ids[len(ids)-1]))+" !== undefined")
		b.doSelectedRows(button)
		redistest.Eventually(t, patience, button+" of all", func() bool {
			states := y.states()
			for _, id := range ids {
				if states[id] != leaves {
					return false
				}
			}
			return true
		})
	}
	each("scheduled", "Archive", "archived")
	b.open("archived")
	for _, id := range ids {
		b.See("the row of "+id, fmt.Sprintf(`(() => { const row = %s; row?.click(); return Boolean(row); })()`, row(payload(id))))
		b.shows("Task Info", payload(id))
		b.Do(chromedp.NavigateBack())
	}
	each("archived", "Run", "pending")
	each("pending", "Delete", "")

	y = newYard(t, rdb, "orders", "scheduled", ids...)
	all("scheduled", "Archive", "archived")
	all("archived", "Run", "pending")
	all("pending", "Delete", "")
}

// doSelectedRows presses a button for all jobs of the page, which the box above them
// selects.
func (b *board) doSelectedRows(button string) {
	b.t.Helper()
	b.See("the box for all", `(() => {
		const box = document.querySelector("thead input[type=checkbox]");
		if (box && !box.checked) box.click();
		return Boolean(box?.checked);
	})()`)
	b.See("the button "+button, fmt.Sprintf(`(() => {
		const button = [...document.querySelectorAll('button[title="%s"]:enabled')].find((b) => !b.closest("table"));
		button?.click();
		return Boolean(button);
	})()`, button))
}

// A number is shown as it is stored, whatever JavaScript would make of it.
func testNumbers(t *testing.T, browser *browsertest.Browser) {
	rdb := redistest.Embedded(t)
	client := asynq.NewClientFromRedisClient(rdb)
	for id, payload := range map[string]string{
		"big": `{"id":1970670598291982290}`, "odd": `[1e400,-0,0.1000000000000000055511151231257827]`, "plain": `{"id":12}`,
	} {
		if _, err := client.Enqueue(asynq.NewTask("numbers", []byte(payload)), asynq.Queue("numbers"), asynq.TaskID(id), asynq.ProcessIn(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	b := newBoard(t, browser, rdb, "numbers")
	shown := []string{`"id": 1970670598291982290` + "\n", "1e400,", "-0,", "0.1000000000000000055511151231257827", `"id": 12`}
	b.open("scheduled")
	b.shows(shown...)
	for id, texts := range map[string][]string{"big": shown[:1], "odd": shown[1:4], "plain": shown[4:]} {
		b.load("/queues/numbers/tasks/" + id)
		b.shows(append(texts, "Task Info")...)
	}
}
