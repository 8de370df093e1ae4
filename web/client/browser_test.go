package client_test

import (
	"testing"

	"github.com/queuerun/queuerun/web/browsertest"
)

const suitePage = `<!doctype html><title>suite</title><script type="module">
const failures = [];
addEventListener("error", (event) => failures.push(event.error));
addEventListener("unhandledrejection", (event) => failures.push(event.reason));
try {
	const { run } = await import("/client/testdata/suite.js");
	await import("/client/testdata/page.js");
	const results = await run({ origin: location.origin });
	const unexpected = failures.filter((error) => error?.message !== "thrown by a listener");
	results.push({ name: "nothing else went wrong", error: unexpected.map(String).join("\n") });
	window.results = results;
} catch (error) {
	window.results = [{ name: "the suite", error: error.stack }];
}
</script>`

// One browser is enough for all tests in one.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	browser := browsertest.Start(t)
	t.Run("the suite", func(t *testing.T) {
		t.Parallel()
		page := browser.Open(t, newScript(t, suitePage).URL)
		page.See("the suite to end", "window.results !== undefined")
		report(t, browsertest.Value[[]result](page, "results"))
	})
}
