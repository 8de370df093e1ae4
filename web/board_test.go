package web_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/web"
	"github.com/queuerun/queuerun/web/browsertest"
	"github.com/redis/go-redis/v9"
)

// board is the dashboard's pages of a queue in a browser.
type board struct {
	*browsertest.Page
	t     *testing.T
	url   string
	queue string
}

func newBoard(t *testing.T, browser *browsertest.Browser, rdb redis.UniversalClient, queue string) *board {
	t.Helper()
	s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: open}})
	url := s.url + "/monitoring"
	return &board{browser.Open(t, "about:blank"), t, url, queue}
}

// open shows the queue's jobs in a state, as they are now.
func (b *board) open(state string) {
	b.t.Helper()
	b.load("/queues/" + b.queue + "?status=" + state)
	b.See("the "+state+" jobs", fmt.Sprintf(`document.querySelector('[aria-label="%s tasks table"]') !== null`, state))
}

// openQueues shows the list of the queues, as they are now.
func (b *board) openQueues() {
	b.t.Helper()
	b.load("")
	b.See("the queue", row(b.queue)+" !== undefined")
}

func (b *board) load(path string) { b.Do(chromedp.Navigate(b.url + path)) }

// row is the row of a table with the text, as JavaScript.
func row(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("tbody tr")].find((tr) => tr.textContent.includes(%s))`, browsertest.JS(text))
}

// payload is how a page shows the payload of an item.
func payload(item string) string { return fmt.Sprintf(`"item": %q`, item) }

// press presses a button that is shown when the mouse is over the last cell of a
// row, where the others of the row's buttons are.
func (b *board) press(text, button string) {
	b.t.Helper()
	b.See("the button "+button+" of "+text, fmt.Sprintf(`(() => {
		const cell = %s?.lastElementChild;
		const button = cell?.querySelector('button[title="%s"]:enabled');
		button ? button.click() : cell?.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}));
		return Boolean(button);
	})()`, row(text), button))
}

// do presses the button of one job in a state, and waits for the message that the
// page shows then for a while.
func (b *board) do(state, item, button, message string) {
	b.t.Helper()
	b.open(state)
	b.press(payload(item), button)
	b.shows(message)
}

// doAll is do for all jobs in a state, with the menu above the table.
func (b *board) doAll(state, entry, message string) {
	b.t.Helper()
	b.open(state)
	b.See("the menu", `(() => {
		const button = document.querySelector('button[aria-label="actions"]');
		button?.click();
		return Boolean(button);
	})()`)
	b.See("the entry "+entry, fmt.Sprintf(`(() => {
		const entry = [...document.querySelectorAll("#action-menu [role=menuitem]")].find((li) => li.textContent === "%s");
		const open = document.querySelector("#action-menu")?.getAttribute("aria-hidden") !== "true";
		if (open) entry?.click();
		return open && Boolean(entry);
	})()`, entry))
	b.shows(message)
}

// doSelected is do for the jobs in a state that are selected by their boxes.
func (b *board) doSelected(state string, items []string, button, message string) {
	b.t.Helper()
	b.open(state)
	for _, item := range items {
		b.See("the box of "+item, fmt.Sprintf(`(() => {
			const box = %s?.querySelector("input[type=checkbox]");
			if (box && !box.checked) box.click();
			return Boolean(box?.checked);
		})()`, row(payload(item))))
	}
	b.See("the button "+button, fmt.Sprintf(`(() => {
		const button = [...document.querySelectorAll('button[title="%s"]:enabled')].find((b) => !b.closest("table"));
		button?.click();
		return Boolean(button);
	})()`, button))
	b.shows(message)
}

// choose shows the queue's jobs in another state than those that are shown.
func (b *board) choose(state string) {
	b.t.Helper()
	b.See("the choice "+state, fmt.Sprintf(`(() => {
		const chip = [...document.querySelectorAll(".MuiChip-clickable")].find((chip) => chip.textContent.toLowerCase().startsWith("%s"));
		chip?.click();
		return Boolean(chip);
	})()`, state))
	b.See("the "+state+" jobs", fmt.Sprintf(`document.querySelector('[aria-label="%s tasks table"]') !== null`, state))
}

// shows waits until the page shows all of the texts.
func (b *board) shows(texts ...string) {
	b.t.Helper()
	b.See(fmt.Sprintf("the page to show %q", texts), fmt.Sprintf(
		"%s.every((text) => document.body.innerText.includes(text))", browsertest.JS(texts)))
}
