package jobs

import (
	"strings"
	"testing"
)

func TestOwnerOfAQueue(t *testing.T) {
	for name, want := range map[string]string{
		"orders": "", "orders.fifo": "", "shop:orders": "shop", "shop:eu:orders.fifo": "shop:eu", "shop:": "", ":orders": "", "": "",
		"mail #1?:pause": "", "shop:mail #1": "", "shop/eu:orders": "", "shop:.": "", "shop:" + strings.Repeat("x", 81): "",
	} {
		if got := OwnerOf(name); got != want {
			t.Errorf("%q belongs to %q, want %q", name, got, want)
		}
	}
	for _, prefix := range []string{"shop", "shop:eu", "a.b_c-d"} {
		if got := OwnerOf(asynqQueueName(prefix, "orders.fifo")); got != prefix {
			t.Errorf("the queue of %q belongs to %q", prefix, got)
		}
	}
}
