package jobs

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// dedupeWindow is how long a push to a group is remembered.
const dedupeWindow = 5 * time.Minute

// window is how long another push of the same is ignored, 0 when it is not.
func (o pushOptions) window(to target) time.Duration {
	switch {
	case o.unique > 0:
		return o.unique
	case to.deduped:
		return dedupeWindow
	case to.grouped && !o.idSet: // An id of its own tells a job apart.
		return dedupeWindow
	default:
		return 0
	}
}

// dedupeHash ends the key where Redis remembers which job a push repeats; it is
// "" when it repeats none. Hashing keeps the key short and the group and the id
// apart, whatever characters they have.
func dedupeHash(to target, data []byte, o pushOptions) string {
	if o.window(to) == 0 {
		return ""
	}
	kind, id := "payload", data
	if to.deduped {
		kind, id = "id", []byte(to.dedupe)
	}
	group, what := sha256.Sum256([]byte(to.group)), sha256.Sum256(id)
	sum := sha256.Sum256(append(append([]byte(kind), group[:]...), what[:]...))
	return hex.EncodeToString(sum[:16])
}
