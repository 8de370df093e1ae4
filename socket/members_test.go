package socket

import (
	"math/rand/v2"
	"testing"
)

func TestASetOfConnectionsIsLikeAMap(t *testing.T) {
	var set connections
	want := map[*connection]bool{}
	all := make([]*connection, 3*fewConnections)
	for i := range all {
		all[i] = &connection{}
	}
	for range 10_000 {
		c := all[rand.IntN(1+rand.IntN(len(all)))]
		if rand.IntN(2) == 0 {
			set.add(c)
			want[c] = true
		} else {
			if was := set.remove(c); was != want[c] {
				t.Fatalf("remove returned %v, want %v", was, want[c])
			}
			delete(want, c)
		}
		got := map[*connection]bool{}
		set.each(func(c *connection) {
			if got[c] {
				t.Fatal("a connection is in the set twice")
			}
			got[c] = true
		})
		if len(got) != len(want) || set.size() != len(want) || set.has(c) != want[c] {
			t.Fatalf("%d connections, size %d, want %d", len(got), set.size(), len(want))
		}
	}
}
