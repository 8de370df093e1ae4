package client_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// result is what became of one test in JavaScript.
type result struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// report makes a test of each result.
func report(t *testing.T, results []result) {
	t.Helper()
	if len(results) == 0 {
		t.Fatal("the suite ran no test")
	}
	for _, r := range results {
		t.Run(r.Name, func(t *testing.T) {
			if r.Error != "" {
				t.Error(r.Error)
			}
		})
	}
}
