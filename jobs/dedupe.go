package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// dedupeWindow is how long the id of a push to a group is remembered.
const dedupeWindow = 5 * time.Minute

// dedupeKey is where Redis remembers which job a push repeats, or "" when the
// job has an id of its own to be told apart by. Hashing keeps the key short and
// the group and the id apart, whatever characters they have.
func dedupeKey(asynqQueue string, to target, data []byte, o pushOptions) string {
	if o.idSet && !to.deduped {
		return ""
	}
	kind, id := "payload", data
	if to.deduped {
		kind, id = "id", []byte(to.dedupe)
	}
	group, what := sha256.Sum256([]byte(to.group)), sha256.Sum256(id)
	sum := sha256.Sum256(append(append([]byte(kind), group[:]...), what[:]...))
	return keyPrefix(asynqQueue) + "dedupe:" + hex.EncodeToString(sum[:16])
}
